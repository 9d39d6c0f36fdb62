"""The table of products, and fifty of them."""

from typing import Any, ClassVar

from django.db import migrations, models


def fill(apps: Any, _editor: Any) -> None:
    """The same fifty each time, so that the shop always answers alike."""
    product = apps.get_model("catalogue", "Product")
    product.objects.bulk_create(
        product(name=f"Product {number}", price_cents=95 + 100 * number) for number in range(1, 51)
    )


class Migration(migrations.Migration):
    """Django's first of this app."""

    initial = True
    operations: ClassVar = [
        migrations.CreateModel(
            name="Product",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("price_cents", models.PositiveIntegerField()),
            ],
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
