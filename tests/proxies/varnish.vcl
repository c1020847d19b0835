# Varnish's defaults plus one rule: Varnish ignores must-revalidate, and would serve programs the last status for ten more
# seconds (default_grace). It honours stale-while-revalidate and ignores stale-if-error.
vcl 4.1;

backend default {
    .host = "127.0.0.1";
    .port = "$origin_port";
    .connect_timeout = 1s;
    .first_byte_timeout = 3s;
}

sub vcl_backend_response {
    if (beresp.http.Cache-Control ~ "must-revalidate") {
        set beresp.grace = 0s;
    }
}
