"""Two pages of the shop: plain `def` views on the ORM, as most of Django is written."""

from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404

from catalogue.models import Product


def products(_request: HttpRequest) -> JsonResponse:
    """All products by name."""
    return JsonResponse({"products": list(Product.objects.order_by("name").values("id", "name", "price_cents"))})


def product(_request: HttpRequest, number: int) -> JsonResponse:
    """One of them."""
    found = get_object_or_404(Product, pk=number)
    return JsonResponse({"id": found.pk, "name": found.name, "price_cents": found.price_cents})
