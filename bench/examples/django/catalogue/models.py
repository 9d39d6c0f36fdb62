"""What the shop sells."""

from django.db import models


class Product(models.Model):
    """Something to buy."""

    name = models.CharField(max_length=80)
    price_cents = models.PositiveIntegerField()

    def __str__(self) -> str:
        return self.name
