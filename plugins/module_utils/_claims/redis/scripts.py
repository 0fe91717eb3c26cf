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
local dbs, fresh, waiting, assigned, to_check, checked, leftover = {}, {}, {}, {}, {}, {}, {}
for _, name in ipairs(input.checked) do checked[name] = true end
for _, wanted in ipairs(input.wanted) do leftover[wanted.name] = wanted.leftover end

local function is_free_for(name, db)
  local others = others_of(name, db)
  local user = claimed[name] ~= db and other_user(name, db)
  if db < 1 or db >= databases then
    add_problem(name, 'range', db)
  elseif claimed_by[db] and claimed_by[db] ~= name then
    add_problem(name, 'held', db, claimed_by[db])
  elseif #others > 0 and remembered[name] == db then
    add_problem(name, 'twice', db, others)
  elseif #others > 0 then
    add_problem(name, 'remembered', db, others[1])
  elseif assigned[db] then
    add_problem(name, 'held', db, assigned[db])
  elseif user then
    add_problem(name, 'user', db, user)
  else
    return true
  end
  return false
end

local function assign(name, db, how)
  dbs[name] = db
  assigned[db] = name
  if how then
    local reset = how ~= 'restored' and leftover[name]
    table.insert(fresh, {name = name, db = db, how = how, reset = reset})
  end
end

-- If the server has one database only, all deployments share it.
local function share_database()
  for _, wanted in ipairs(input.wanted) do
    local name = wanted.name
    local current = claimed[name] or remembered[name]
    if is_of_other_inventory(name) then
    elseif wanted.idle and not claimed[name] then
    elseif current and current ~= 0 then add_problem(name, 'range', current)
    elseif not current and wanted.foreign then add_problem(name, 'foreign')
    else
      dbs[name] = 0
      if not claimed[name] then
        table.insert(fresh, {name = name, db = 0, how = 'shared', reset = not remembered[name] and leftover[name]})
      end
    end
  end
  input.wanted = {}
end
if input.shared then share_database() end

-- Names that have a database, or request one, come before those that get any free one.
for _, wanted in ipairs(input.wanted) do
  local name, asked = wanted.name, non_null(wanted.db)
  local current = claimed[name] or remembered[name]
  if is_of_other_inventory(name) then
  elseif wanted.idle then
    -- Nothing is claimed or restored for what does not run.
    if claimed[name] and not (remembered[name] and remembered[name] ~= claimed[name]) then assign(name, claimed[name]) end
  elseif claimed[name] and remembered[name] and claimed[name] ~= remembered[name] then
    add_problem(name, 'disagree', claimed[name], remembered[name])
  elseif current and asked and asked ~= current then
    add_problem(name, 'moves', current, asked)
  elseif current then
    if is_free_for(name, current) then
      assign(name, current, not claimed[name] and 'restored' or nil)
      -- Finding out whose keys these are would take longer than a script may run.
      if not claimed[name] and keys_in(current) > 0 and not checked[name] then
        table.insert(to_check, {name = name, db = current})
      end
    end
  elseif wanted.foreign then
    add_problem(name, 'foreign')
  elseif asked then
    if is_free_for(name, asked) then
      if keys_in(asked) > 0 then add_problem(name, 'occupied', asked, nil, keys_in(asked))
      else assign(name, asked, 'asked') end
    end
  else
    table.insert(waiting, name)
  end
end

local candidate, stray = 1, {}
for _, name in ipairs(waiting) do
  while candidate < databases do
    if not (claimed_by[candidate] or remembered_by[candidate] or assigned[candidate] or other_user(name, candidate)) then
      if keys_in(candidate) == 0 then break end
      table.insert(stray, {db = candidate, keys = keys_in(candidate)})
    end
    candidate = candidate + 1
  end
  if candidate < databases then
    assign(name, candidate, 'free')
    candidate = candidate + 1
  else
    add_problem(name, 'full', databases)
  end
end

local disputes = {}
for name, db in pairs(remembered) do
  if not dbs[name] and claimed[name] and claimed[name] ~= db then
    table.insert(disputes, {name = name, db = claimed[name], other = db})
  elseif not dbs[name] and not claimed[name] and claimed_by[db] then
    table.insert(disputes, {name = name, db = db, other = claimed_by[db]})
  end
end

-- Records that get our owner, in the place of another one or none.
local adopted = {}
for name, db in pairs(dbs) do
  if non_null(input.owner) and claimed[name] and owner[name] ~= input.owner then
    table.insert(adopted, {name = name, db = db})
  end
end

local marks = not server and next(dbs) ~= nil
local writes = #problems == 0 and #to_check == 0 and #lost < 2 and (marks or #fresh > 0 or #adopted > 0)
if writes and not input.dry then
  local suffix = non_null(input.owner) and ' ' .. input.owner or ''
  for _, claims in ipairs({fresh, adopted}) do
    for _, claim in ipairs(claims) do
      redis.call('HSET', key, claim.name, claim.db .. suffix)
      if claim.reset then redis.call('HSET', key, ':reset:' .. claim.name, '1') end
    end
  end
  if marks then
    here = here or input.new_server
    redis.call('HSET', key, ':server', here)
  end
end
return cjson.encode({
  databases = databases, dbs = dbs, fresh = fresh, problems = problems, stray = stray, disputes = disputes,
  server = here, lost = lost, to_check = to_check, adopted = adopted, marks = marks, writes = writes,
})
"""
)

RELEASE_SCRIPT = (
    READ_RECORD
    + """
local found = {}

for _, name in ipairs(input.wanted) do
  local db = claimed[name] or remembered[name]
  local others = db and others_of(name, db) or {}
  if is_of_other_inventory(name) then
  elseif claimed[name] and remembered[name] and claimed[name] ~= remembered[name] then
    add_problem(name, 'disagree', claimed[name], remembered[name])
  elseif db and db > 0 and claimed_by[db] and claimed_by[db] ~= name then
    add_problem(name, 'held', db, claimed_by[db])
  elseif db and db > 0 and #others > 0 and remembered[name] then
    add_problem(name, 'twice', db, others)
  elseif db and db > 0 and #others > 0 then
    add_problem(name, 'shared', db, others[1])
  elseif db and db > 0 and not input.dry and keys_in(db) > 0 then
    add_problem(name, 'left', db, nil, keys_in(db))
  elseif db then
    table.insert(found, {name = name, db = db, keys = db > 0 and keys_in(db) or 0})
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
for db = 1, databases - 1 do
  if keys_in(db) > 0 then table.insert(counts, {db = db, keys = keys_in(db)}) end
end
local claims = {}
for name, db in pairs(claimed) do table.insert(claims, {name = name, db = db, owner = owner[name]}) end
return cjson.encode({databases = databases, claims = claims, counts = counts, server = here})
"""
)
