# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The record of claims in number 0 of Redis: names of its keys, and the Lua that reads it, with which every script begins.

The record is a hash: a field for each name, "NUMBER" or "NUMBER OWNER". Fields that begin with ":" are about the server.
"""

from __future__ import annotations

CLAIMS_KEY = "selfhost.langgraph:claims"
UNSAVED_KEY = "selfhost.langgraph:acl-unsaved"
# Beginning of the fields that name users which were there before the claim, so that their passwords are not ours.
RESET = ":reset:"

READ_RECORD = """
local key = KEYS[1]
local input = cjson.decode(ARGV[1])

local function given(value)
  if value == cjson.null then return nil end
  return value
end

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

local databases = given(input.databases) or find_databases()
local keys_in = key_counter()

local record, holder, owner, server = {}, {}, {}, nil
local flat = redis.call('HGETALL', key)
for i = 1, #flat, 2 do
  local field, value = flat[i], flat[i + 1]
  if field == ':server' then
    server = value
  elseif string.sub(field, 1, 1) ~= ':' then
    -- An owner with a space was written by an earlier version.
    local number, by = string.match(value, '^(%d+)$') or string.match(value, '^(%d+) '), string.match(value, '^%d+ (.+)$')
    if not number then return redis.error_reply('the claim of ' .. field .. ' is no number: ' .. value) end
    record[field], holder[tonumber(number)] = tonumber(number), field
    owner[field] = by
  end
end

-- Users that may select a number: they outlive the record, and may be those of another inventory.
local users_of = {}
for _, held in ipairs(input.held) do users_of[held.number] = held.names end

-- The servers that this one may be, if it has no UUID: those that Postgres remembers at its address, where it has lost all
-- data but what the deployments themselves have written since, or kept a record that agrees. That is in a number that is
-- remembered, or held by a user; or in number 0, in which every connection begins, and which therefore says nothing.
local function lost_servers()
  local candidates, fits = {}, {}
  for _, claim in ipairs(input.known) do
    if given(claim.server) and given(input.address) and claim.address == input.address then
      candidates[claim.server] = {numbers = {}, agrees = false}
    end
  end
  local unnamed = {}  -- numbers of claims that name no server, and count as those of any
  for _, claim in ipairs(input.known) do
    local candidate = candidates[given(claim.server) or '']
    if candidate and given(claim.number) then
      candidate.numbers[claim.number] = true
      candidate.agrees = candidate.agrees or record[claim.name] == claim.number
    elseif given(claim.number) and not given(claim.server) then
      unnamed[claim.number] = true
    end
  end
  for uuid, candidate in pairs(candidates) do
    local fit = candidate.agrees
    if next(record) == nil then
      fit = true
      for number = 1, databases - 1 do
        local expected = candidate.numbers[number] or unnamed[number] or users_of[number]
        if not expected and keys_in(number) > 0 then fit = false end
      end
    end
    if fit then table.insert(fits, uuid) end
  end
  table.sort(fits)
  return fits
end

local lost = server and {} or lost_servers()
local here = server or #lost == 1 and lost[1] or nil

-- What Postgres remembers of this server. A claim that names none was made by an earlier version and counts as its.
local known, keepers, known_owner = {}, {}, {}
for _, claim in ipairs(input.known) do
  known_owner[claim.name] = given(claim.owner)
  if given(claim.number) and (not given(claim.server) or claim.server == here) then
    known[claim.name] = claim.number
    keepers[claim.number] = keepers[claim.number] or {}
    table.insert(keepers[claim.number], claim.name)
  end
end

-- Give the others for which Postgres remembers a number.
local function others_of(name, number)
  local others = {}
  for _, other in ipairs(keepers[number] or {}) do
    if other ~= name then table.insert(others, other) end
  end
  return others
end

-- Give a user of another name that may select a number.
local function other_user(name, number)
  for _, user in ipairs(users_of[number] or {}) do
    if user ~= name then return user end
  end
end

local problems = {}
local function refuse(name, code, number, other, keys)
  table.insert(problems, {name = name, code = code, number = number, other = other, keys = keys})
end

local allowed = {}
for _, name in ipairs(input.owners) do allowed[name] = true end

-- Refuse what belongs to another inventory, in whichever of the two records.
local function is_strange(name)
  local function strange(found) return found and not input.take_over and not allowed[found] end
  if strange(owner[name]) then refuse(name, 'owner', record[name], owner[name]) return true end
  if strange(known_owner[name]) then refuse(name, 'database_owner', nil, known_owner[name]) return true end
  return false
end
"""
