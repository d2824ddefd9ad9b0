package host

// words are the built-in texts for people, in one language.
type words struct {
	offline  string // name
	silent   string // name, address
	nobody   string // that no host at all reports
	online   string // name
	removed  string // name
	renamed  string // name
	beyond   string // name, path, value, limit
	back     string // name, path, value, limit
	ruleGone string // name, alert

	elementGone, serviceGone, hostGone string // name, alert

	separator string // between values
	memory    string
	disk      string // mount
	load      string
	processes string
	tcp       string
}

var chinese = words{
	offline: "主机 %s 失联，没有上报",
	silent:  "主机 %[1]s 失联，没有上报（最后地址 %[2]s）",
	nobody:  "目前没有任何主机上报：可能是主机都失联了，也可能是上报到不了 Tocsin，请检查 webhook 的地址、令牌和网络。",
	online:  "主机 %s 恢复上报",
	removed: "主机 %s 不再监控，告警结束",
	renamed: "主机 %s 的标签已修改，原告警结束",

	beyond:      "%[1]s 的 %[2]s 为 %[3]s（阈值 %[4]s）",
	back:        "%[1]s 的 %[2]s 已恢复到 %[3]s（阈值 %[4]s）",
	ruleGone:    "规则 %[2]s 已被删除或修改，%[1]s 的告警结束",
	elementGone: "%[1]s 不再上报这一项，告警 %[2]s 结束",
	serviceGone: "%[1]s 已不再采集这一项，告警 %[2]s 结束",
	hostGone:    "主机 %[1]s 不再监控，告警 %[2]s 结束",

	separator: "，", memory: "内存", disk: "磁盘 %s", load: "负载", processes: "进程", tcp: "TCP 连接",
}

var english = words{
	offline: "The host %s is offline: it does not report",
	silent:  "The host %[1]s is offline: it does not report (last address %[2]s)",
	nobody:  "No host reports at all: either all are offline, or reports do not get through to Tocsin. Check the webhook's address, the tokens and the network.",
	online:  "The host %s reports again",
	removed: "The host %s is not watched any more; the alert ends",
	renamed: "The labels of the host %s were changed; the alert under the old ones ends",

	beyond:      "%[2]s of %[1]s is %[3]s (limit %[4]s)",
	back:        "%[2]s of %[1]s is back at %[3]s (limit %[4]s)",
	ruleGone:    "The rule %[2]s was removed or changed; its alert about %[1]s ends",
	elementGone: "%[1]s does not report this any more; the alert %[2]s ends",
	serviceGone: "This is not collected on %[1]s any more; the alert %[2]s ends",
	hostGone:    "The host %[1]s is not watched any more; the alert %[2]s ends",

	separator: ", ", memory: "memory", disk: "disk %s", load: "load", processes: "processes", tcp: "TCP connections",
}

// wordsIn returns the texts of a language, "zh" or "en"; any other is "zh", the
// default of global.language.
func wordsIn(language string) *words {
	if language == "en" {
		return &english
	}
	return &chinese
}
