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

local function non_null(value)
  if value == cjson.null then return nil end
  return value
end

local function selectable(db)
  return not redis.pcall('SELECT', db).err
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
    for db, keys in string.gmatch(info, 'db(%d+):keys=(%d+)') do
      counts[tonumber(db)] = tonumber(keys)
    end
    return function(db) return counts[db] or 0 end
  end
  return function(db)
    if not counts[db] then
      redis.call('SELECT', db)
      counts[db] = redis.call('DBSIZE')
      redis.call('SELECT', 0)
    end
    return counts[db]
  end
end

local databases = non_null(input.databases) or find_databases()
local keys_in = key_counter()

local claimed, claimed_by, owner, server = {}, {}, {}, nil
local flat = redis.call('HGETALL', key)
for i = 1, #flat, 2 do
  local field, value = flat[i], flat[i + 1]
  if field == ':server' then
    server = value
  elseif string.sub(field, 1, 1) ~= ':' then
    -- An owner with a space was written by an earlier version.
    local db, by = string.match(value, '^(%d+)$') or string.match(value, '^(%d+) '), string.match(value, '^%d+ (.+)$')
    if not db then return redis.error_reply('the claim of ' .. field .. ' is not a number: ' .. value) end
    claimed[field], claimed_by[tonumber(db)] = tonumber(db), field
    owner[field] = by
  end
end

-- Users that may select a database: they outlive the record, and may belong to another inventory.
local users_of = {}
for _, held in ipairs(input.held) do users_of[held.db] = held.names end

-- If this server has no UUID, it may be one that Postgres records at its address, provided that it has a matching record,
-- or has lost all data except what the deployments have written since. Such data is in a database that is remembered or
-- that a user may select, or in database 0, where every connection starts and which therefore proves nothing.
local function lost_servers()
  local candidates, fits = {}, {}
  for _, claim in ipairs(input.remembered) do
    if non_null(claim.server) and non_null(input.address) and claim.address == input.address then
      candidates[claim.server] = {dbs = {}, agrees = false}
    end
  end
  local unnamed = {}  -- databases of claims without a server, which count for any server
  for _, claim in ipairs(input.remembered) do
    local candidate = candidates[non_null(claim.server) or '']
    if candidate and non_null(claim.db) then
      candidate.dbs[claim.db] = true
      candidate.agrees = candidate.agrees or claimed[claim.name] == claim.db
    elseif non_null(claim.db) and not non_null(claim.server) then
      unnamed[claim.db] = true
    end
  end
  for uuid, candidate in pairs(candidates) do
    local fit = candidate.agrees
    if next(claimed) == nil then
      fit = true
      for db = 1, databases - 1 do
        local expected = candidate.dbs[db] or unnamed[db] or users_of[db]
        if not expected and keys_in(db) > 0 then fit = false end
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
local remembered, remembered_by, remembered_owner = {}, {}, {}
for _, claim in ipairs(input.remembered) do
  remembered_owner[claim.name] = non_null(claim.owner)
  if non_null(claim.db) and (not non_null(claim.server) or claim.server == here) then
    remembered[claim.name] = claim.db
    remembered_by[claim.db] = remembered_by[claim.db] or {}
    table.insert(remembered_by[claim.db], claim.name)
  end
end

-- Return the other deployments for which Postgres remembers a database.
local function others_of(name, db)
  local others = {}
  for _, other in ipairs(remembered_by[db] or {}) do
    if other ~= name then table.insert(others, other) end
  end
  return others
end

-- Return a user of another deployment, or of somebody else, that may select a database.
local function other_user(name, db)
  for _, user in ipairs(users_of[db] or {}) do
    if user ~= name and user ~= name .. '.b' then return user end
  end
end

local problems = {}
local function add_problem(name, code, db, other, keys)
  table.insert(problems, {name = name, code = code, db = db, other = other, keys = keys})
end

local allowed = {}
for _, name in ipairs(input.owners) do allowed[name] = true end

-- Refuse a claim of another inventory, in either of the two records.
local function is_of_other_inventory(name)
  local function is_other(found) return found and not input.take_over and not allowed[found] end
  if is_other(owner[name]) then add_problem(name, 'owner', claimed[name], owner[name]) return true end
  if is_other(remembered_owner[name]) then add_problem(name, 'database_owner', nil, remembered_owner[name]) return true end
  return false
end
"""
