"""What is measured: launched beside its services, asked, verified, and gone afterwards."""
