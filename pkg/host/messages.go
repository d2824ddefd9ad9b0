package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// messages are the built-in texts in one language: formats whose arguments are
// named behind them.
type messages struct {
	offline            string // name
	offlineWithAddress string // name, address
	allOffline         string
	online             string // name
	hostUnwatched      string // name
	hostRelabeled      string // name
	beyondLimit        string // name, path, value, limit
	withinLimit        string // name, path, value, limit

	serviceSilent     string // name, service
	serviceAdvice     string
	serviceReports    string // name, alert, service
	duplicateHost     string // name, number of machines, machines
	machine           string // address, id of the run
	duplicateAdvice   string
	oneMachine        string // name, alert, service
	replacedByOffline string // name, alert, service

	ruleChanged, elementRemoved, serviceRemoved, hostRemoved string // name, alert

	separator string // between values
	memory    string
	disk      string // mount point
	load      string
	processes string
	tcp       string
}

var chinese = messages{
	offline:            "主机 %s 失联，没有上报",
	offlineWithAddress: "主机 %[1]s 失联，没有上报（最后地址 %[2]s）",
	allOffline:         "目前没有任何主机上报：可能是主机都失联了，也可能是上报到不了 Tocsin，请检查 webhook 的地址、令牌和网络。",
	online:             "主机 %s 恢复上报",
	hostUnwatched:      "主机 %s 不再监控，告警结束",
	hostRelabeled:      "主机 %s 的标签已修改，原告警结束",

	serviceSilent:     "主机 %[1]s 在线，但服务 %[2]s 没有上报",
	serviceAdvice:     "在该主机上执行 tocsin-agent status 可以看到插件的错误。服务上报之前，与它有关的规则不会触发。",
	serviceReports:    "主机 %[1]s 的服务 %[3]s 恢复上报",
	duplicateHost:     "有 %[2]d 台机器以主机 %[1]s 的身份上报：%[3]s",
	machine:           "%s（运行 %s）",
	duplicateAdvice:   "它们的数值混在一起，其中一台失联也不会告警。请用 --id 给每台机器不同的 id；从镜像复制的机器带有相同的 id。",
	oneMachine:        "现在只有一台机器以主机 %[1]s 的身份上报",
	replacedByOffline: "主机 %[1]s 已失联，由失联告警代替 %[2]s",

	beyondLimit:    "%[1]s 的 %[2]s 为 %[3]s（阈值 %[4]s）",
	withinLimit:    "%[1]s 的 %[2]s 已恢复到 %[3]s（阈值 %[4]s）",
	ruleChanged:    "规则 %[2]s 已被删除或修改，%[1]s 的告警结束",
	elementRemoved: "%[1]s 不再上报这一项，告警 %[2]s 结束",
	serviceRemoved: "%[1]s 已不再采集这一项，告警 %[2]s 结束",
	hostRemoved:    "主机 %[1]s 不再监控，告警 %[2]s 结束",

	separator: "，", memory: "内存", disk: "磁盘 %s", load: "负载", processes: "进程", tcp: "TCP 连接",
}

var english = messages{
	offline:            "The host %s is offline: it does not report",
	offlineWithAddress: "The host %[1]s is offline: it does not report (last address %[2]s)",
	allOffline:         "No host reports at all: either all are offline, or reports do not get through to Tocsin. Check the webhook's address, the tokens and the network.",
	online:             "The host %s reports again",
	hostUnwatched:      "The host %s is not watched any more; the alert ends",
	hostRelabeled:      "The labels of the host %s were changed; the alert under the old ones ends",

	serviceSilent:     "The host %[1]s reports, but its service %[2]s does not",
	serviceAdvice:     "tocsin-agent status on the host shows the error of the plugin. Rules about the service do not fire until it reports.",
	serviceReports:    "The service %[3]s of the host %[1]s reports again",
	duplicateHost:     "%[2]d machines report as the host %[1]s: %[3]s",
	machine:           "%s (run %s)",
	duplicateAdvice:   "Their values are mixed, and no alert fires when one of them is offline. Give each machine an id of its own with --id; machines that were copied from one image have the same.",
	oneMachine:        "Only one machine reports as the host %[1]s now",
	replacedByOffline: "The host %[1]s is offline; that alert replaces %[2]s",

	beyondLimit:    "%[2]s of %[1]s is %[3]s (limit %[4]s)",
	withinLimit:    "%[2]s of %[1]s is back at %[3]s (limit %[4]s)",
	ruleChanged:    "The rule %[2]s was removed or changed; its alert about %[1]s ends",
	elementRemoved: "%[1]s does not report this any more; the alert %[2]s ends",
	serviceRemoved: "This is not collected on %[1]s any more; the alert %[2]s ends",
	hostRemoved:    "The host %[1]s is not watched any more; the alert %[2]s ends",

	separator: ", ", memory: "memory", disk: "disk %s", load: "load", processes: "processes", tcp: "TCP connections",
}

// messagesIn returns the texts of a language, "zh" or "en"; any other is "zh", the
// default of global.language.
func messagesIn(language string) *messages {
	if language == "en" {
		return &english
	}
	return &chinese
}

const (
	// maxSummaryValues bounds the values in the summary of a host's latest values.
	maxSummaryValues = 8
	// maxCustomValues bounds those of one plugin that is not built in.
	maxCustomValues = 3
)

// summarizeValues formats the latest values of a host, by service, as text:
// "CPU 93.5%, memory 71%".
func (m *messages) summarizeValues(h *Host, values map[string]json.RawMessage) string {
	var parts []string
	for _, service := range slices.Sorted(maps.Keys(values)) {
		if data, err := decodeData(values[service]); err == nil {
			parts = append(parts, m.summarizeService(service, h.Services[service].Plugin, data)...)
		}
	}
	return strings.Join(parts[:min(len(parts), maxSummaryValues)], m.separator)
}

// summarizeService formats the values of one service. Network rates and the uptime
// are left out: they do not help to find out why a host is offline.
func (m *messages) summarizeService(service, plugin string, data any) []string {
	format := func(path, format string) []string {
		if v, ok := number(lookup(data, strings.Split(path, "."))); ok {
			return []string{fmt.Sprintf(format, formatValue(v))}
		}
		return nil
	}
	switch plugin {
	case "cpu":
		return format("usage_percent", "CPU %s%%")
	case "memory":
		return format("used_percent", m.memory+" %s%%")
	case "disk":
		return m.summarizeFullestDisk(data)
	case "load":
		return format("load1", m.load+" %s")
	case "processes":
		return format("total", m.processes+" %s")
	case "tcp":
		return format("established", m.tcp+" %s")
	case "network", "uptime":
		return nil
	}
	members, _ := data.(map[string]any)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if v, ok := number(members[name]); ok && len(out) < maxCustomValues {
			out = append(out, fmt.Sprintf("%s %s %s", service, name, formatValue(v)))
		}
	}
	return out
}

func (m *messages) summarizeFullestDisk(data any) []string {
	mounts, _ := lookup(data, []string{"mounts"}).(map[string]any)
	fullest, highest := "", -1.0
	for _, mount := range slices.Sorted(maps.Keys(mounts)) {
		if v, ok := number(lookup(mounts[mount], []string{"used_percent"})); ok && v > highest {
			fullest, highest = mount, v
		}
	}
	if highest < 0 {
		return nil
	}
	return []string{fmt.Sprintf(m.disk, fullest) + " " + formatValue(highest) + "%"}
}

// decodeData decodes the data of a report. Numbers keep their digits.
func decodeData(data json.RawMessage) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("decode the data of the report: %w", err)
	}
	return v, nil
}

// encodeData encodes data as JSON without the escapes of HTML.
func encodeData(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}
