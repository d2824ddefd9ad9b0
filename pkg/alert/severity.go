package alert

import "strings"

// severityWords are the words for each of Tocsin's severities in other systems, in
// lower case: of Prometheus's users, Grafana, Zabbix with its numbers, Open-Falcon,
// PagerDuty, and the clouds, in English and Chinese. docs/messages.md lists them.
var severityWords = map[string][]string{
	SeverityCritical: {
		"critical", "fatal", "emergency", "page", "error", "disaster", "high", "p0", "p1", "5", "4",
		"灾难", "致命", "紧急", "危急", "严重", "高", "一级", "二级",
	},
	SeverityWarning: {
		"warning", "warn", "major", "minor", "average", "medium", "moderate", "p2", "3", "2",
		"一般严重", "重要", "次要", "警告", "一般", "中", "三级",
	},
	SeverityInfo: {
		"info", "information", "informational", "notice", "none", "ok", "debug", "low", "not classified", "p3", "p4", "p5", "p6", "1", "0",
		"信息", "提示", "通知", "未分类", "低", "四级", "五级",
	},
}

// severities has the severity of each word of severityWords.
var severities = func() map[string]string {
	all := map[string]string{}
	for severity, words := range severityWords {
		for _, word := range words {
			all[word] = severity
		}
	}
	return all
}()

// ParseSeverity returns SeverityCritical, SeverityWarning or SeverityInfo for another
// system's word, in any case, or "" if the word is unknown.
func ParseSeverity(word string) string {
	return severities[strings.ToLower(strings.TrimSpace(word))]
}
