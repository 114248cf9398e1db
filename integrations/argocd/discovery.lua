-- Which actions Argo CD offers for an object.
local suspended = obj.spec ~= nil and obj.spec.suspend == true
local actions = {
  ["reconcile"] = {["displayName"] = "Reconcile now"},
  ["suspend"] = {["displayName"] = "Suspend", ["disabled"] = suspended},
  ["resume"] = {["displayName"] = "Resume", ["disabled"] = not suspended},
}
return actions
