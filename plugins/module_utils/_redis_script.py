# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The one place where Redis DB numbers are decided: a Lua script that Redis runs as one step.

It decides for the whole list, so that check mode (``dry``) and the real run cannot differ, and that no two callers
can meet between looking and taking. It answers with codes; the words for people are made in Python.
"""

from __future__ import annotations

CLAIMS_KEY = "selfhost.langgraph:claims"
UNSAVED_KEY = "selfhost.langgraph:acl-unsaved"

_COMMON = """
local key = KEYS[1]
local input = cjson.decode(ARGV[1])

local function selectable(number)
  return not redis.pcall('SELECT', number).err
end

-- Where CONFIG is forbidden, the number of databases is found by trying: doubling, then halving.
local function find_databases()
  local low, high = 0, 1
  while selectable(high) do low, high = high, high * 2 end
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    if selectable(middle) then low = middle else high = middle end
  end
  redis.call('SELECT', 0)
  return high
end

-- Give a function that counts the keys of a number.
local function key_counter()
  local counts = {}
  local info = redis.pcall('INFO', 'keyspace')
  if type(info) == 'string' then
    for number, keys in string.gmatch(info, 'db(%d+):keys=(%d+)') do
      counts[tonumber(number)] = tonumber(keys)
    end
    return function(number) return counts[number] or 0 end
  end
  return function(number)
    if not counts[number] then
      redis.call('SELECT', number)
      counts[number] = redis.call('DBSIZE')
      redis.call('SELECT', 0)
    end
    return counts[number]
  end
end

local record, holder = {}, {}
local flat = redis.call('HGETALL', key)
for i = 1, #flat, 2 do
  local number = tonumber(flat[i + 1])
  record[flat[i]] = number
  holder[number] = flat[i]
end

local known, keeper = {}, {}
for _, claim in ipairs(input.known) do
  known[claim.name] = claim.number
  keeper[claim.number] = claim.name
end

local problems = {}
local function refuse(name, code, number, other, keys)
  table.insert(problems, {name = name, code = code, number = number, other = other, keys = keys})
end
"""

CLAIM_SCRIPT = (
    _COMMON
    + """
local databases = input.databases
if databases == cjson.null then databases = find_databases() end
local keys_in = key_counter()
local numbers, fresh, waiting, taken = {}, {}, {}, {}

local function free_for(name, number)
  if number < 1 or number >= databases then
    refuse(name, 'range', number)
  elseif holder[number] and holder[number] ~= name then
    refuse(name, 'held', number, holder[number])
  elseif keeper[number] and keeper[number] ~= name then
    refuse(name, 'remembered', number, keeper[number])
  elseif taken[number] then
    refuse(name, 'held', number, taken[number])
  else
    return true
  end
  return false
end

local function give(name, number, how)
  numbers[name] = number
  taken[number] = name
  if how then table.insert(fresh, {name = name, number = number, how = how}) end
end

-- Where there is one number only, everybody has it.
local function share()
  for _, wanted in ipairs(input.wanted) do
    local name = wanted.name
    local current = record[name] or known[name]
    if current and current ~= 0 then refuse(name, 'range', current)
    elseif not current and wanted.foreign then refuse(name, 'foreign')
    else
      numbers[name] = 0
      if not record[name] then table.insert(fresh, {name = name, number = 0, how = 'shared'}) end
    end
  end
  input.wanted = {}
end
if input.shared then share() end

-- Names that have a number, or ask for one, come before those that take what is left.
for _, wanted in ipairs(input.wanted) do
  local name, asked = wanted.name, wanted.number
  if asked == cjson.null then asked = nil end
  local current = record[name] or known[name]
  if record[name] and known[name] and record[name] ~= known[name] then
    refuse(name, 'disagree', record[name], known[name])
  elseif current and asked and asked ~= current then
    refuse(name, 'moves', current, asked)
  elseif current then
    if free_for(name, current) then give(name, current, not record[name] and 'restored' or nil) end
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
    if not (holder[candidate] or keeper[candidate] or taken[candidate]) then
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

if #problems == 0 and not input.dry then
  for _, claim in ipairs(fresh) do redis.call('HSET', key, claim.name, claim.number) end
end
return cjson.encode({
  databases = databases, numbers = numbers, fresh = fresh, problems = problems, stray = stray, disputes = disputes,
})
"""
)

RELEASE_SCRIPT = (
    _COMMON
    + """
local keys_in = key_counter()
local found = {}

for _, name in ipairs(input.wanted) do
  local number = record[name] or known[name]
  if record[name] and known[name] and record[name] ~= known[name] then
    refuse(name, 'disagree', record[name], known[name])
  elseif number and number > 0 and holder[number] and holder[number] ~= name then
    refuse(name, 'held', number, holder[number])
  elseif number and number > 0 and keeper[number] and keeper[number] ~= name then
    refuse(name, 'shared', number, keeper[number])
  elseif number then
    table.insert(found, {name = name, number = number, keys = number > 0 and keys_in(number) or 0})
  end
end

if #problems == 0 and not input.dry then
  for _, claim in ipairs(found) do
    if claim.number > 0 then
      redis.call('SELECT', claim.number)
      redis.call('FLUSHDB', 'ASYNC')
      redis.call('SELECT', 0)
    end
    redis.call('HDEL', key, claim.name)
  end
end
return cjson.encode({found = found, problems = problems})
"""
)

INSPECT_SCRIPT = (
    _COMMON
    + """
local databases = input.databases
if databases == cjson.null then databases = find_databases() end
local keys_in = key_counter()
local counts = {}
for number = 1, databases - 1 do
  if keys_in(number) > 0 then table.insert(counts, {number = number, keys = keys_in(number)}) end
end
local claims = {}
for name, number in pairs(record) do table.insert(claims, {name = name, number = number}) end
return cjson.encode({databases = databases, claims = claims, counts = counts})
"""
)
