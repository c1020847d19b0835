"""Everything that knows Flask: routes, headers, pages, errors."""
