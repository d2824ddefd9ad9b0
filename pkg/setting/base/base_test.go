package base_test

import (
	"testing"

	"tocsin/pkg/setting/base"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]base.Size{
		"1MiB": 1 << 20, "512KiB": 512 << 10, "2 GiB": 2 << 30, "100": 100, "100B": 100, "0": 0,
		"": -1, "MiB": -1, "-1": -1, "1MB": -1, "1.5MiB": -1, "99999999999999GiB": -1, "9223372036854775807": -1,
	} {
		got := base.Size(-1)
		if err := got.UnmarshalText([]byte(text)); got != want || (err == nil) != (want >= 0) {
			t.Errorf("UnmarshalText(%q): got %d, %v, want %d", text, got, err, want)
		}
	}
	for size, want := range map[base.Size]string{1 << 20: "1MiB", 1536: "1536B", 512 << 10: "512KiB", 3 << 30: "3GiB", 0: "0B"} {
		if got := size.String(); got != want {
			t.Errorf("String of %d: got %s, want %s", int64(size), got, want)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.8.9.10": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "example.com": false, "localhost.example.com": false, "127.0.0.1.example.com": false, "10.0.0.1": false, "0.0.0.0": false, "::": false,
	} {
		if got := base.IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q): got %v, want %v", host, got, want)
		}
	}
}
