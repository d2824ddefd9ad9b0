-- Returns the first entry of the due index for each kind, empty for none.
--
-- KEYS: due.
-- ARGV: the kinds.

local first = {}
for i, kind in ipairs(ARGV) do
  -- "0" is the character after the slash.
  local found = redis.call('ZRANGEBYLEX', KEYS[1], '[' .. kind .. '/', '(' .. kind .. '0', 'LIMIT', 0, 1)
  first[i] = found[1] or ''
end
return first
