module statuspage-operator.io/tests/kubernetes/warden

go 1.26.0
