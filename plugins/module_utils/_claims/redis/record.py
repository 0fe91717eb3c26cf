# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The record of claims in database 0 of Redis: its keys, and the Lua code that reads it, with which every script begins.

The record is a hash with a field per name, "NUMBER" or "NUMBER OWNER". Fields that begin with ":" are about the server.
"""

from __future__ import annotations

CLAIMS_KEY = "selfhost.langgraph:claims"
UNSAVED_KEY = "selfhost.langgraph:acl-unsaved"
# Prefix of the fields that name users which existed before the claim, so that their passwords are not ours.
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

-- If CONFIG is forbidden, the number of databases is found by trial: doubling, then halving.
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

-- Return a function that counts the keys of a database.
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
    if not number then return redis.error_reply('the claim of ' .. field .. ' is not a number: ' .. value) end
    record[field], holder[tonumber(number)] = tonumber(number), field
    owner[field] = by
  end
end

-- Users that may select a database: they outlive the record, and may belong to another inventory.
local users_of = {}
for _, held in ipairs(input.held) do users_of[held.number] = held.names end

-- If this server has no UUID, it may be one that Postgres records at its address, provided that it has a matching record,
-- or has lost all data except what the deployments have written since. Such data is in a database that is remembered or
-- that a user may select, or in database 0, where every connection starts and which therefore proves nothing.
local function lost_servers()
  local candidates, fits = {}, {}
  for _, claim in ipairs(input.known) do
    if given(claim.server) and given(input.address) and claim.address == input.address then
      candidates[claim.server] = {numbers = {}, agrees = false}
    end
  end
  local unnamed = {}  -- databases of claims without a server, which count for any server
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

-- What Postgres remembers for this server. A claim without a server is from an earlier version and counts for this one.
local known, keepers, known_owner = {}, {}, {}
for _, claim in ipairs(input.known) do
  known_owner[claim.name] = given(claim.owner)
  if given(claim.number) and (not given(claim.server) or claim.server == here) then
    known[claim.name] = claim.number
    keepers[claim.number] = keepers[claim.number] or {}
    table.insert(keepers[claim.number], claim.name)
  end
end

-- Return the other deployments for which Postgres remembers a database.
local function others_of(name, number)
  local others = {}
  for _, other in ipairs(keepers[number] or {}) do
    if other ~= name then table.insert(others, other) end
  end
  return others
end

-- Return a user of another name that may select a database.
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

-- Refuse a claim of another inventory, in either of the two records.
local function is_strange(name)
  local function strange(found) return found and not input.take_over and not allowed[found] end
  if strange(owner[name]) then refuse(name, 'owner', record[name], owner[name]) return true end
  if strange(known_owner[name]) then refuse(name, 'database_owner', nil, known_owner[name]) return true end
  return false
end
"""
