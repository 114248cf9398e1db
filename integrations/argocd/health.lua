-- How Argo CD is to judge every kind of statuspage-operator.io, by its conditions (docs/conditions.md).
local function condition(kind)
  local conditions = obj.status ~= nil and obj.status.conditions or {}
  for _, found in ipairs(conditions) do
    if found.type == kind then
      return found
    end
  end
end

local function verdict(status, message)
  return {status = status, message = message or ""}
end

local ready = condition("Ready")
if ready == nil then
  return verdict("Progressing", "waits for the operator")
end
if ready.reason == "Suspended" then
  return verdict("Suspended", ready.message)
end
-- What was said of another generation says nothing of this one.
if ready.observedGeneration ~= nil and ready.observedGeneration ~= obj.metadata.generation then
  return verdict("Progressing", "waits for the operator")
end
if ready.status == "True" then
  return verdict("Healthy", ready.message)
end
local stalled = condition("Stalled")
if stalled ~= nil and stalled.status == "True" then
  return verdict("Degraded", stalled.message)
end
return verdict("Progressing", ready.message)
