# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The Lua scripts that assign Redis database numbers, which Redis runs atomically.

The claim script decides for the whole list, so that check mode (``dry``) and the real run cannot differ, and concurrent
callers cannot conflict between reading and writing. It returns error codes; error_messages.py has the messages.
"""

from __future__ import annotations

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import READ_RECORD

CLAIM_SCRIPT = (
    READ_RECORD
    + """
local numbers, fresh, waiting, taken, look, checked, leftover = {}, {}, {}, {}, {}, {}, {}
for _, name in ipairs(input.checked) do checked[name] = true end
for _, wanted in ipairs(input.wanted) do leftover[wanted.name] = wanted.leftover end

local function free_for(name, number)
  local others = others_of(name, number)
  local user = record[name] ~= number and other_user(name, number)
  if number < 1 or number >= databases then
    refuse(name, 'range', number)
  elseif holder[number] and holder[number] ~= name then
    refuse(name, 'held', number, holder[number])
  elseif #others > 0 and known[name] == number then
    refuse(name, 'twice', number, others)
  elseif #others > 0 then
    refuse(name, 'remembered', number, others[1])
  elseif taken[number] then
    refuse(name, 'held', number, taken[number])
  elseif user then
    refuse(name, 'user', number, user)
  else
    return true
  end
  return false
end

local function give(name, number, how)
  numbers[name] = number
  taken[number] = name
  if how then
    local reset = how ~= 'restored' and leftover[name]
    table.insert(fresh, {name = name, number = number, how = how, reset = reset})
  end
end

-- If the server has one database only, all deployments share it.
local function share()
  for _, wanted in ipairs(input.wanted) do
    local name = wanted.name
    local current = record[name] or known[name]
    if is_strange(name) then
    elseif current and current ~= 0 then refuse(name, 'range', current)
    elseif not current and wanted.foreign then refuse(name, 'foreign')
    else
      numbers[name] = 0
      if not record[name] then
        table.insert(fresh, {name = name, number = 0, how = 'shared', reset = not known[name] and leftover[name]})
      end
    end
  end
  input.wanted = {}
end
if input.shared then share() end

-- Names that have a database, or request one, come before those that get any free one.
for _, wanted in ipairs(input.wanted) do
  local name, asked = wanted.name, given(wanted.number)
  local current = record[name] or known[name]
  if is_strange(name) then
  elseif record[name] and known[name] and record[name] ~= known[name] then
    refuse(name, 'disagree', record[name], known[name])
  elseif current and asked and asked ~= current then
    refuse(name, 'moves', current, asked)
  elseif current then
    if free_for(name, current) then
      give(name, current, not record[name] and 'restored' or nil)
      -- Finding out whose keys these are would take longer than a script may run.
      if not record[name] and keys_in(current) > 0 and not checked[name] then
        table.insert(look, {name = name, number = current})
      end
    end
  elseif wanted.foreign then
    refuse(name, 'foreign')
  elseif asked then
    if free_for(name, asked) then
      if keys_in(asked) > 0 then refuse(name, 'occupied', asked, nil, keys_in(asked))
      else give(name, asked, 'asked') end
    end
  else
    table.insert(waiting, name)
  end
end

local candidate, stray = 1, {}
for _, name in ipairs(waiting) do
  while candidate < databases do
    if not (holder[candidate] or keepers[candidate] or taken[candidate] or other_user(name, candidate)) then
      if keys_in(candidate) == 0 then break end
      table.insert(stray, {number = candidate, keys = keys_in(candidate)})
    end
    candidate = candidate + 1
  end
  if candidate < databases then
    give(name, candidate, 'free')
    candidate = candidate + 1
  else
    refuse(name, 'full', databases)
  end
end

local disputes = {}
for name, number in pairs(known) do
  if not numbers[name] and record[name] and record[name] ~= number then
    table.insert(disputes, {name = name, number = record[name], other = number})
  elseif not numbers[name] and not record[name] and holder[number] then
    table.insert(disputes, {name = name, number = number, other = holder[number]})
  end
end

-- Records that get our owner, in the place of another one or none.
local adopted = {}
for name, number in pairs(numbers) do
  if given(input.owner) and record[name] and owner[name] ~= input.owner then
    table.insert(adopted, {name = name, number = number})
  end
end

local marks = not server and next(numbers) ~= nil
local writes = #problems == 0 and #look == 0 and #lost < 2 and (marks or #fresh > 0 or #adopted > 0)
if writes and not input.dry then
  local suffix = given(input.owner) and ' ' .. input.owner or ''
  for _, claims in ipairs({fresh, adopted}) do
    for _, claim in ipairs(claims) do
      redis.call('HSET', key, claim.name, claim.number .. suffix)
      if claim.reset then redis.call('HSET', key, ':reset:' .. claim.name, '1') end
    end
  end
  if marks then
    here = here or input.new_server
    redis.call('HSET', key, ':server', here)
  end
end
return cjson.encode({
  databases = databases, numbers = numbers, fresh = fresh, problems = problems, stray = stray, disputes = disputes,
  server = here, lost = lost, look = look, adopted = adopted, marks = marks, writes = writes,
})
"""
)

RELEASE_SCRIPT = (
    READ_RECORD
    + """
local found = {}

for _, name in ipairs(input.wanted) do
  local number = record[name] or known[name]
  local others = number and others_of(name, number) or {}
  if is_strange(name) then
  elseif record[name] and known[name] and record[name] ~= known[name] then
    refuse(name, 'disagree', record[name], known[name])
  elseif number and number > 0 and holder[number] and holder[number] ~= name then
    refuse(name, 'held', number, holder[number])
  elseif number and number > 0 and #others > 0 and known[name] then
    refuse(name, 'twice', number, others)
  elseif number and number > 0 and #others > 0 then
    refuse(name, 'shared', number, others[1])
  elseif number and number > 0 and not input.dry and keys_in(number) > 0 then
    refuse(name, 'left', number, nil, keys_in(number))
  elseif number then
    table.insert(found, {name = name, number = number, keys = number > 0 and keys_in(number) or 0})
  end
end

if #problems == 0 and #lost < 2 and not input.dry then
  for _, claim in ipairs(found) do redis.call('HDEL', key, claim.name) end
end
return cjson.encode({databases = databases, found = found, problems = problems, lost = lost})
"""
)

INSPECT_SCRIPT = (
    READ_RECORD
    + """
local counts = {}
for number = 1, databases - 1 do
  if keys_in(number) > 0 then table.insert(counts, {number = number, keys = keys_in(number)}) end
end
local claims = {}
for name, number in pairs(record) do table.insert(claims, {name = name, number = number, owner = owner[name]}) end
return cjson.encode({databases = databases, claims = claims, counts = counts, server = here})
"""
)
