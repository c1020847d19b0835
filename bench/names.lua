-- Makes wrk request the badges of a thousand repositories in turn.
local number = 0

function request()
  number = (number + 1) % 1000
  return wrk.format("GET", "/badge/GitHub/acme/Repository/repository-" .. number)
end
