"""Students: trained, judged, asked, taken away."""
