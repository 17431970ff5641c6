# Reads statements, NAME<tab>TEXT each, and prints for each that is not of the forms of
# docs/scaling.md its name and what is wrong. A statement of several, a DO block, is taken apart.
#
# A level is a SELECT, the outermost or one in brackets; what stands in other brackets belongs to the
# level around them. An item of FROM is a table, a function or a sub-SELECT.

BEGIN {
    FS = "\t"
    split("trendline_rows trendline_ids trendline_writers", names, " ")
    for (i in names) distributed[names[i]] = 1
    # also as parts of other statements
    forbidden = "^(TRUNCATE|LOCK|LISTEN|NOTIFY|SAVEPOINT|DECLARE|COPY|MERGE|TRIGGER|RULE|REFERENCES" \
        "|UNIQUE|EXCLUDE|SHARE|TEMP|TEMPORARY|RECURSIVE|WINDOW|OVER)$"
    effects = "^(nextval|setval|random|gen_random_uuid|pg_(try_)?advisory_.*|set_config|pg_notify)$"
    first = "^(SELECT|INSERT|UPDATE|DELETE|WITH|BEGIN|COMMIT|CREATE|ALTER|SET)$"
}

function wrong(what) {
    if (!told[what]++) printf "%s: %s\n", name, what
}

# Tokens of `text` into token[1..tokens]; texts in quotes are left out.
function tokenize(text) {
    gsub(/'([^']|'')*'/, " ", text)
    tokens = 0
    while (match(text, /[A-Za-z_][A-Za-z0-9_.]*|\$[0-9]+|[^ A-Za-z_$]/)) {
        token[++tokens] = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
    }
}

function open_level() {
    level[depth] = ++levels
    clause[levels] = "list"
    tables[levels] = functions[levels] = subqueries[levels] = spread[levels] = 0
    level_depth[levels] = depth
}

function close_level(l) {
    if (subqueries[l] && functions[l] && !tables[l])
        wrong("a sub-SELECT in a condition or a column, over a function")
    if (spread[l] && functions[l])
        wrong("a distributed table is joined with a function")
    reads += spread[l]
}

# An item of FROM: the table or function called `t`.
function from_item(l, t, is_function) {
    if (is_function) functions[l]++
    else tables[l]++
    if (t in distributed) spread[l]++
    expected[l] = 0
}

function bracket(i,    l) {
    l = level[depth++]
    level[depth] = l
    if (token[i + 1] != "SELECT") return
    if (clause[l] == "from" && expected[l]) expected[l] = 0
    else subqueries[l]++
    open_level()
}

function keyword(l, t) {
    if (t == "FROM" || t == "JOIN") { clause[l] = "from"; expected[l] = 1 }
    else if (t == "ON" || t ~ /^(WHERE|GROUP|ORDER|LIMIT|RETURNING|SET|VALUES)$/) clause[l] = "other"
}

function statement(text,    i, l, t) {
    tokenize(text)
    depth = levels = reads = has_effect = 0
    delete told
    open_level()
    if (token[1] !~ first || tokens == 0) { if (tokens) wrong("it begins with " token[1]); return }
    for (i = 1; i <= tokens; i++) {
        t = token[i]
        l = level[depth]
        if (toupper(t) == t && t ~ forbidden) wrong(t)
        if (t == "FOR" && token[i + 1] ~ /^(UPDATE|NO|KEY)$/) wrong("FOR " token[i + 1])
        if (t ~ effects && token[i + 1] == "(") has_effect = 1
        if (t == "(") bracket(i)
        else if (t == ")") { if (level_depth[l] == depth && depth > 0) close_level(l); depth-- }
        else if (depth == level_depth[l]) {
            keyword(l, t)
            if (clause[l] != "from") continue
            if (t == ",") expected[l] = 1
            else if (expected[l] && t !~ /^(FROM|JOIN|LATERAL|ONLY)$/)
                from_item(l, t, token[i + 1] == "(")
        }
    }
    close_level(1)
    if (reads > 1) wrong("more than one distributed table is read")
    if (reads && has_effect) wrong("a function with an effect beside a distributed table")
    if (token[1] != "CREATE") by_key(text)
}

# Rows and ids are many: each statement names those it wants.
function by_key(text) {
    if (text ~ /FROM trendline_rows/ && text !~ /FROM trendline_rows WHERE writer = \$1/)
        wrong("rows of more than one writer")
    if (text ~ /FROM trendline_ids/ && text !~ /FROM trendline_ids WHERE id = ANY\(\$1::text\[\]\)/)
        wrong("ids that are not named")
    if (text ~ /(UPDATE|DELETE FROM) trendline_(rows|ids)|INTO trendline_(rows|ids).*DO UPDATE/)
        wrong("rows and ids never change")
    if (text ~ /UPDATE trendline_writers/ && text !~ /WHERE writer = \$1/)
        wrong("more than one writer changes")
}

{
    name = $1
    block = $2
    sub(/^DO \$\$ BEGIN /, "", block)
    sub(/END \$\$$/, "", block)
    gsub(/IF to_regclass\([^)]*\) IS NULL THEN|END IF/, "", block)
    count = split(block, parts, ";")
    for (p = 1; p <= count; p++) statement(parts[p])
}
