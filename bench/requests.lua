-- wrk: sends the requests of a file of targets, built once, since formatting costs more than sending.
local requests, at = {}, 0

function init(args)
    for target in io.lines(args[1]) do
        requests[#requests + 1] = wrk.format("GET", target)
    end
    at = math.random(#requests)
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("RESULT %.0f %.0f %.0f %d %d\n",
        summary.requests / (summary.duration / 1e6), latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        summary.requests))
end
