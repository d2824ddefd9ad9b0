package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxReported bounds the values that are told of a host, and few how many of a
// plugin that is not known.
const (
	maxReported = 8
	few         = 3
)

// reported puts the latest values of a host into words: "CPU 93.5%, memory 71%".
// values are the data by service.
func (w *words) reported(h *Host, values map[string]json.RawMessage) string {
	var parts []string
	for _, service := range slices.Sorted(maps.Keys(values)) {
		if data, err := decode(values[service]); err == nil {
			parts = append(parts, w.told(service, h.Services[service].Plugin, data)...)
		}
	}
	return strings.Join(parts[:min(len(parts), maxReported)], w.separator)
}

// told puts the data of one service into words. What network interfaces carry
// and how long a host has been up says little of why it is silent.
func (w *words) told(service, plugin string, data any) []string {
	value := func(path string) (float64, bool) { return number(follow(data, strings.Split(path, "."))) }
	one := func(path, format string) []string {
		if v, ok := value(path); ok {
			return []string{fmt.Sprintf(format, figure(v))}
		}
		return nil
	}
	switch plugin {
	case "cpu":
		return one("usage_percent", "CPU %s%%")
	case "memory":
		return one("used_percent", w.memory+" %s%%")
	case "disk":
		return w.fullest(data)
	case "load":
		return one("load1", w.load+" %s")
	case "processes":
		return one("total", w.processes+" %s")
	case "tcp":
		return one("established", w.tcp+" %s")
	case "network", "uptime":
		return nil
	}
	members, _ := data.(map[string]any)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if v, ok := number(members[name]); ok && len(out) < few {
			out = append(out, fmt.Sprintf("%s %s %s", service, name, figure(v)))
		}
	}
	return out
}

// fullest tells the disk with the least room.
func (w *words) fullest(data any) []string {
	mounts, _ := follow(data, []string{"mounts"}).(map[string]any)
	worst, most := "", -1.0
	for _, mount := range slices.Sorted(maps.Keys(mounts)) {
		if v, ok := number(follow(mounts[mount], []string{"used_percent"})); ok && v > most {
			worst, most = mount, v
		}
	}
	if most < 0 {
		return nil
	}
	return []string{fmt.Sprintf(w.disk, worst) + " " + figure(most) + "%"}
}

// decode reads data; numbers stay as they are written.
func decode(data json.RawMessage) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("decode what was reported: %w", err)
	}
	return v, nil
}
