-- Applies all changes of a commit, or none.
--
-- KEYS: items, keys, due, expires.
-- ARGV: the commit's time in Unix milliseconds, how many expired items to drop, 1 if the
-- commit may exceed maxmemory, and then for each change:
--   key
--   condition: the expected version, 0 for an absent key, empty for none
--   read: the due time that the item was read with, empty for none
--   action: set, delete, keep (only move the due time), or empty for a condition only
--   item, due, expires: as item.go encodes them; empty for none
--
-- Returns 0, or the number of the first change whose condition does not hold.

local items, keys, due, expires = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local FIRST, FIELDS = 4, 7

-- Redis keeps the writes that a script made before it failed. So everything that can
-- fail comes before the first write: ZCARD fails for a key of another type, and a
-- Redis that cannot write rejects the first write.
for i = 2, 4 do redis.call('ZCARD', KEYS[i]) end

-- read returns the version and the due time of an item. Of one that item.go cannot
-- decode it returns the version that store.RawVersion gives it, and no due time.
local function read(key)
  local raw = redis.call('HGET', items, key)
  if not raw then return '0', '' end
  local version, time = string.match(raw, '^1 ([1-9]%d*) (%x*)\n')
  if version and (#version < 20 or #version == 20 and version <= '18446744073709551615') and (#time == 0 or #time == 16) then
    return version, time
  end
  return string.format('%.0f', tonumber(string.sub(redis.sha1hex(raw), 1, 13), 16) + 1), ''
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

local was, changed = {}, {}
for i = FIRST, #ARGV, FIELDS do
  local version, time = read(ARGV[i])
  if ARGV[i + 1] ~= '' and ARGV[i + 1] ~= version then return (i - FIRST) / FIELDS + 1 end
  was[i], changed[ARGV[i]] = time, true
end

-- Expired items go first: a Redis whose memory is full lets a script free some, and then
-- write.
for _, key in ipairs(redis.call('ZRANGEBYSCORE', expires, '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])) do
  if not changed[key] then
    local _, time = read(key)
    drop(key, time)
  end
end

-- After a write that takes no memory, here one without effect, Redis permits any.
if ARGV[3] == '1' then redis.call('ZREM', expires, '') end

for i = FIRST, #ARGV, FIELDS do
  local key, seen, action, item, time, expiry = ARGV[i], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6]
  if action ~= '' and seen ~= was[i] then move(key, seen, '') end
  if action == 'set' then set(key, was[i], item, time, expiry) end
  if action == 'delete' then drop(key, was[i]) end
  if action == 'keep' then move(key, was[i], time) end
end
return 0
