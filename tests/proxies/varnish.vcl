# Varnish as it is, but for one rule: it doesn't honour must-revalidate by itself and would show programs the last status
# for ten more seconds (its default_grace). It honours stale-while-revalidate, but not stale-if-error.
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
