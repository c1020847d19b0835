"""Dashboard authentication: who may see the dashboard, and how they log in."""
