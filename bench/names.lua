-- Makes wrk request badges by number: wrk -s names.lua URL -- PATH FIRST NUMBER
-- In PATH, {name} stands for the number, and {account} for the number divided by 100, rounded down. After NUMBER names
-- it begins again with FIRST.
-- Prints how many badges were "unknown".
local path, first, number
local asked = 0
unknown = 0

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  path, first, number = args[1], tonumber(args[2]), tonumber(args[3])
end

function request()
  local one = first + asked % number
  asked = asked + 1
  local values = { name = ("%06d"):format(one), account = ("%05d"):format(math.floor(one / 100)) }
  return wrk.format("GET", (path:gsub("{(%w+)}", values)))
end

function response(status, headers, body)
  if body:find(": unknown", 1, true) then
    unknown = unknown + 1
  end
end

function done()
  print(("Unknown: %d"):format(threads[1]:get("unknown")))
end
