"""The dashboard: pages, their live regions, and the forms by which a person acts."""
