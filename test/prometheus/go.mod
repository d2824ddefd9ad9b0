module tocsin/test/prometheus

go 1.26.0

require (
	github.com/google/go-jsonnet v0.22.0
	github.com/prometheus/alertmanager v0.34.2
	github.com/prometheus/prometheus v0.315.0
)

require (
	go.yaml.in/yaml/v2 v2.4.4 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	sigs.k8s.io/yaml v1.6.0 // indirect
)
