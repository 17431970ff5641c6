#!/usr/bin/env bash
# Every status that the contract lists for errors, nginx's own too: all of one form.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

json='Content-Type: application/json'

# zeros COUNT: so many bytes
zeros() {
    head -c "$1" /dev/zero | tr '\0' 0
}

test_not_http() {
    raw_refuses "no host" 400 HTTP 'GET /predict?a=1 HTTP/1.1\r\n\r\n'
    raw_refuses "not HTTP" 400 HTTP 'hello\r\n\r\n'
    raw_refuses "a bad header" 400 HTTP 'GET /model HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n'
    raw_refuses "a bad escape in the path" 400 HTTP 'GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n'
    raw_refuses "a path above the root" 400 HTTP 'GET /%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n'
    raw_refuses "a version of the future" 505 HTTP 'GET /model HTTP/9.1\r\nHost: x\r\n\r\n'
    raw_refuses "an unknown transfer coding" 501 '' \
        'POST /action HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n'
}

test_paths() {
    local path
    for path in / /nothing /predict/ /predict/1 /Predict /models/000001.json /model.json /actions.jsonl \
        /error /action/x; do
        refuses "no such page: $path" 404 page "$path"
    done
    refuses "no such page: POST" 404 page /nothing -d '{"a":1}'
}

test_methods() {
    local path method
    for path in /predict /action /build /model /healthz /readyz; do
        for method in PUT DELETE PATCH FOO TRACE; do
            refuses "$method $path" 405 '' "$path" -X "$method"
        done
        check_contains "$path: Allow" OPTIONS "$(header Allow)"
    done
    for path in /model /healthz /readyz; do
        refuses "POST $path" 405 '' "$path" -d '{"a":1}'
        check_equal "POST $path: Allow" "GET, HEAD, OPTIONS" "$(header Allow)"
    done
}

test_length() {
    refuses "POST /action without a body" 411 '' /action -X POST
    refuses "POST /predict without a body" 411 '' /predict -X POST
    check_equal "POST /build needs none" 200 "$(build)"
    {
        printf '{"a":1,"b":1,"target":6'
        head -c $((65536 - 24)) /dev/zero | tr '\0' ' '
        printf '}'
    } >"$SCRATCH/body64k"
    check_equal "a body of exactly MAX_BODY" 201 "$(status /action --data-binary "@$SCRATCH/body64k")"
    echo >>"$SCRATCH/body64k"
    refuses "one byte more" 413 65536 /action --data-binary "@$SCRATCH/body64k"
    refuses "in chunks" 413 MAX_BODY /action -H 'Transfer-Encoding: chunked' \
        --data-binary "@$SCRATCH/body64k"
    refuses "for /predict" 413 MAX_BODY /predict --data-binary "@$SCRATCH/body64k"
    refuses "for /build" 413 MAX_BODY /build --data-binary "@$SCRATCH/body64k"
    refuses "many times as much" 413 MAX_BODY /action -H 'Expect: 100-continue' \
        --data-binary @<(zeros 30000000)
    check_equal "the connection's next request is not touched" '400404' \
        "$(curl -s -o /dev/null -o /dev/null -w '%{http_code}' "$URL/action" -d '{' --next -s \
            -o /dev/null -w '%{http_code}' "$URL/nothing")"
    refuses "a long request line" 414 line "/predict?a=$(zeros 70000)"
    check_equal "one of 30000 bytes is fine" '200 {"prediction": 4}' "$(answer "/predict?b=1&a=$(zeros 30000)")"
    refuses "large headers" 431 headers /model -H "X-Large: $(zeros 70000)"
}

# one representative of each status that our binaries give; the details are in other tests
test_ours() {
    refuses "400" 400 JSON /action -d '{'
    answer /action -d '{"_id":"x","a":1,"b":1,"target":6}' >/dev/null
    refuses "409" 409 '"x"' /action -d '{"_id":"x","a":2,"b":1,"target":6}'
    refuses "415" 415 Content-Type /action -d a=1
    refuses "422" 422 '"b"' /action -H "$json" -d '{"a":1,"target":6}'
    refuses "422: a name that is not UTF-8" 422 'unknown feature "\xff\xc3"' '/predict?%ff%c3=1'
    refuses "422: a name with control characters" 422 'unknown feature "a\x0a\x01"' '/predict?a%0a%01=1'
}

# Each name that is wrong is told, and of very many how many more there are.
test_many_names() {
    local n wants=""
    new_data
    start_service
    for n in {1..200}; do wants="$wants\"feature-$n\":$n,"; done
    answer /action -d "{$wants\"target\":1}" >/dev/null
    build >/dev/null
    refuses "200 missing features" 422 'missing feature "feature-1"; missing feature "feature-2"; ' /predict
    check_equal "are counted" 200 "$(jq -r .error "$SCRATCH/body" |
        awk -F '; and | more' '{ print gsub(/missing/, "") + $2 }')"
    answer /predict -d "{${wants//\"feature-5\":5,/}\"b\":1}" >/dev/null
    check_equal "one missing of 200, and one unknown" 'unknown feature "b"; missing feature "feature-5"' \
        "$(jq -r .error "$SCRATCH/body")"
    check_equal "200 features in a query" '200 {"prediction": 1}' \
        "$(answer "/predict?$(for n in {1..200}; do printf 'feature-%d=%d&' "$n" "$n"; done)")"
    check_equal "200 features in a body" '200 {"prediction": 1}' \
        "$(answer /predict -d "{${wants%,}}")"
    stop_service
}

test_unicode_names() {
    new_data
    start_service
    answer /action -d '{"größe":0,"高さ":0,"a b&c=d":0,"target":1}{"größe":1,"高さ":0,"a b&c=d":0,"target":3}
        {"gr\u00f6\u00dfe":0,"\u9ad8さ":1,"a b&c=d":0,"target":4}{"größe":0,"高さ":0,"a b&c=d":1,"target":2}' >/dev/null
    check_equal "Unicode names" 200 "$(build)"
    check_equal "in the model" '{"größe":2,"高さ":3,"a b&c=d":1}' "$(model .coefficients)"
    check_equal "raw in the query" '200 {"prediction": 321}' "$(answer '/predict?größe=10&高さ=100&a%20b%26c%3Dd=0')"
    check_equal "escaped" '200 {"prediction": 321}' \
        "$(answer '/predict?gr%C3%B6%c3%9fe=10&%E9%AB%98%E3%81%95=100&a%20b%26c%3dd=0')"
    check_equal "in a body" '200 {"prediction": 321}' \
        "$(answer /predict -d '{"größe":10,"\u9ad8\u3055":100,"a b&c=d":0}')"
    refuses "in an error" 422 '"größe"' '/predict?高さ=100&a%20b%26c%3Dd=0'
    refuses "another normal form is another name" 422 unknown '/predict?gro%CC%88%C3%9Fe=1'
    stop_service
}

new_data
start_service MAX_BODY=64k
learn_plane
test_not_http
test_paths
test_methods
test_length
test_ours
stop_service
test_many_names
test_unicode_names
check_report http/errors
