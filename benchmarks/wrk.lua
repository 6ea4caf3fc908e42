-- Sends the questions of QUESTIONS in turn; counts the answers by status and prints all as JSON.
local statuses = {}
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init()
  prepared = {}
  for _, question in ipairs(dofile(os.getenv("QUESTIONS"))) do
    local made = wrk.format(question.method, question.path, question.headers, question.body)
    table.insert(prepared, made)
  end
  turn = 0
  counted = {}
end

function request()
  turn = turn % #prepared + 1
  return prepared[turn]
end

function response(status)
  local key = tostring(status)
  counted[key] = (counted[key] or 0) + 1
end

function done(summary, latency)
  for _, thread in ipairs(threads) do
    for key, count in pairs(thread:get("counted")) do
      statuses[key] = (statuses[key] or 0) + count
    end
  end
  local words = {}
  for key, count in pairs(statuses) do
    table.insert(words, string.format('"%s": %d', key, count))
  end
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "bytes": %d, "p50": %.6f, "p95": %.6f, ' ..
    '"p99": %.6f, "longest": %.6f, "broken": %d, "statuses": {%s}}\n',
    summary.requests, summary.duration / 1e6, summary.bytes,
    latency:percentile(50) / 1e6, latency:percentile(95) / 1e6, latency:percentile(99) / 1e6,
    latency.max / 1e6, errors.connect + errors.read + errors.write + errors.timeout,
    table.concat(words, ", ")
  ))
end
