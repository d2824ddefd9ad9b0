-- Applies all changes of a commit, or none.
--
-- KEYS: items, keys, due, expires.
-- ARGV: the commit's time in Unix milliseconds, how many expired items to drop,
-- and then for each change:
--   key
--   condition: the expected version, 0 for an absent key, empty for none
--   action: set, delete, or empty for a condition only
--   item, due, expires: for set, as item.go encodes them; empty for none
--
-- Returns 0, or the number of the first change whose condition does not hold, or
-- minus the number of a change whose key holds an item of another format.

local items, keys, due, expires = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local FIRST, FIELDS = 3, 6

-- Redis keeps the writes that a script made before it failed. So everything that can
-- fail comes before the first write: ZCARD fails for a key of another type, and a
-- Redis that cannot write rejects the first write.
for i = 2, 4 do redis.call('ZCARD', KEYS[i]) end

-- read returns the version and the due time of an item, nil for another format.
local function read(key)
  local raw = redis.call('HGET', items, key)
  if not raw then return '0', '' end
  return string.match(raw, '^1 (%d+) (%x*)\n')
end

-- move replaces a key's due time, empty for none, in the due index.
local function move(key, from, to)
  if from == to then return end
  local kind = string.match(key, '^[^/]+/')
  if from ~= '' then redis.call('ZREM', due, kind .. from .. ' ' .. key) end
  if to ~= '' then redis.call('ZADD', due, 0, kind .. to .. ' ' .. key) end
end

local function set(key, was, item, time, expiry)
  redis.call('HSET', items, key, item)
  redis.call('ZADD', keys, 0, key)
  move(key, was, time)
  if expiry == '' then
    redis.call('ZREM', expires, key)
  else
    redis.call('ZADD', expires, expiry, key)
  end
end

local function drop(key, was)
  redis.call('HDEL', items, key)
  redis.call('ZREM', keys, key)
  move(key, was, '')
  redis.call('ZREM', expires, key)
end

local was = {}
for i = FIRST, #ARGV, FIELDS do
  local number = (i - FIRST) / FIELDS + 1
  local version, time = read(ARGV[i])
  if not version then return -number end
  if ARGV[i + 1] ~= '' and ARGV[i + 1] ~= version then return number end
  was[i] = time
end

for i = FIRST, #ARGV, FIELDS do
  local key, action = ARGV[i], ARGV[i + 2]
  if action == 'set' then set(key, was[i], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]) end
  if action == 'delete' then drop(key, was[i]) end
end

local expired = redis.call('ZRANGEBYSCORE', expires, '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])
for _, key in ipairs(expired) do
  local version, time = read(key)
  if version then drop(key, time) end
end
return 0
