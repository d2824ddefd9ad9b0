-- Returns the items of the keys in a range of an index.
--
-- KEYS: items, the index.
-- ARGV: min and max of ZRANGEBYLEX, the limit, and the position of the key in the
-- entries of the index.
--
-- Returns entry, item, entry, item, and so on.

local reply = {}
for _, entry in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])) do
  reply[#reply + 1] = entry
  reply[#reply + 1] = redis.call('HGET', KEYS[1], string.sub(entry, ARGV[4] + 1))
end
return reply
