"""All Flask code: routes, headers, pages and error handling."""
