-- Makes each connection pause at random between requests, with the given mean: wrk -s pauses.lua URL -- MILLISECONDS
local mean

function init(args)
  mean = tonumber(args[1])
  math.randomseed(os.time())
end

function delay()
  return math.floor(-mean * math.log(1 - math.random()) + 0.5)
end
