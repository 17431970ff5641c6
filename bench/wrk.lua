-- For wrk. Without arguments: GET. `-- lines FILE TYPE`: POST one line of FILE after the other;
-- `-- whole FILE TYPE`: POST all of it each time. Prints "result RATE P99 ANSWERED FAILED" at the
-- end: requests a second, milliseconds, answers, requests not answered by 2xx or 3xx.
local bodies, at = {}, 0

function init(args)
    if #args == 0 then
        return
    end
    local file = assert(io.open(args[2], "rb"))
    if args[1] == "whole" then
        bodies[1] = file:read("*a")
    else
        for line in file:lines() do
            bodies[#bodies + 1] = line
        end
    end
    file:close()
    local headers = {["Content-Type"] = args[3]}
    for i, body in ipairs(bodies) do
        bodies[i] = wrk.format("POST", nil, headers, body)
    end
    request = function()
        at = at % #bodies + 1
        return bodies[at]
    end
end

function done(summary, latency)
    local e = summary.errors
    print(string.format("result %.3f %.4f %d %d", summary.requests / summary.duration * 1e6,
        latency:percentile(99) / 1000, summary.requests,
        e.connect + e.read + e.write + e.status + e.timeout))
end
