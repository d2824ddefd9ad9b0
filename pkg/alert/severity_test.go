package alert_test

import (
	"strings"
	"testing"

	"tocsin/pkg/alert"
)

func TestParseSeverity(t *testing.T) {
	for want, words := range map[string]string{
		"critical": "critical CRITICAL Fatal page error Disaster High P0 p1 5 4 灾难 严重 紧急 致命 高 一级 二级",
		"warning":  "warning WARN Average medium P2 3 2 一般严重 警告 重要 一般 中 三级",
		"info":     "info Information none OK low P3 P4 P5 P6 1 0 信息 提示 未分类 低 四级 五级",
		"":         "6 P7 六级 sev 严重性",
	} {
		for _, word := range strings.Fields(words) {
			if got := alert.ParseSeverity(word); got != want {
				t.Errorf("%s: got %q, want %q", word, got, want)
			}
		}
	}
	for word, want := range map[string]string{" 灾难 ": "critical", "Not classified": "info", "": ""} {
		if got := alert.ParseSeverity(word); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
