-- Returns the first entry of the due index for each kind, empty for none.
--
-- KEYS: due.
-- ARGV: the kinds.

local first = {}
local entry = '^[^/]+/' .. string.rep('%x', 16) .. ' '
for i, kind in ipairs(ARGV) do
  first[i] = ''
  -- "0" is the character after the slash. More than one in case that one is damaged.
  for _, found in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '[' .. kind .. '/', '(' .. kind .. '0', 'LIMIT', 0, 10)) do
    if first[i] == '' and string.match(found, entry) then first[i] = found end
  end
end
return first
