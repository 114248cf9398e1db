if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["statuspage-operator.io/requested-at"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
