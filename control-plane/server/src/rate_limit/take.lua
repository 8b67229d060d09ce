-- Takes from all buckets, or from none. A bucket is when it will be full by each of
-- its two rates, in microseconds since the epoch: `Draw::spend` of filters/rate-limit.
-- ARGV has, by key and rate, in how many microseconds a bucket is filled, and in
-- how many what is taken comes back. Answers nothing, or which key and rate
-- refused, and in how many microseconds that bucket will be full.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local taken = {}
for number, key in ipairs(KEYS) do
  local stored = redis.call('GET', key) or ''
  local full = { string.match(stored, '^(%d+) (%d+)$') }
  taken[number] = {}
  for rate = 1, 2 do
    local place = 4 * (number - 1) + 2 * rate
    local deep, cost = tonumber(ARGV[place - 1]), tonumber(ARGV[place])
    local empty = math.max((tonumber(full[rate]) or 0) - now, 0)
    if empty <= 2 * deep + 1000000 then
      empty = math.min(empty, deep)
    else
      -- The clock was set back, or the limit made smaller.
      empty = 0
    end
    if empty + cost > deep then
      return { number, rate, empty }
    end
    -- What no rate fills is full.
    taken[number][rate] = deep > 0 and now + empty + cost or 0
  end
end
for number, key in ipairs(KEYS) do
  local first, second = taken[number][1], taken[number][2]
  -- What is full is as good as absent.
  local idle = math.ceil((math.max(first, second, now) - now) / 1000) + 1
  redis.call('SET', key, string.format('%.0f %.0f', first, second), 'PX', string.format('%.0f', idle))
end
return {}
