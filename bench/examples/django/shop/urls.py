"""The paths of the shop."""

from catalogue.views import product, products
from django.urls import path

urlpatterns = [
    path("products/", products),
    path("products/<int:number>/", product),
]
