package render

import (
	"fmt"
	"strconv"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/humanize"
)

func chinese() *messages {
	return &messages{
		firing:   "[告警] ",
		resolved: "[恢复] ",
		colon:    "：",

		lag:         "消费积压",
		pollFailed:  "读不到消费积压",
		hostOffline: "主机失联",
		alerts:      func(n int) string { return strconv.Itoa(n) + " 条告警" },
		counted: func(u unit, firing, resolved int) string {
			counter := [...]string{unitAlert: " 条", unitTopic: " 个", unitHost: " 台"}[u]
			noun := [...]string{unitAlert: "", unitTopic: " topic", unitHost: "主机"}[u]
			switch {
			case firing == 0:
				return "（" + strconv.Itoa(resolved) + counter + noun + "）"
			case resolved == 0:
				return "（" + strconv.Itoa(firing) + counter + noun + "）"
			}
			return "（" + strconv.Itoa(firing) + counter + noun + "，另有 " + strconv.Itoa(resolved) + counter + "已恢复）"
		},

		labels: map[string]string{
			alert.NameLabel:     "告警",
			alert.ClusterLabel:  "集群",
			alert.GroupLabel:    "消费组",
			alert.TopicLabel:    "Topic",
			alert.SeverityLabel: "级别",
			alert.HostLabel:     "主机",
			alert.HostnameLabel: "主机名",
			alert.InstanceLabel: "实例",
		},

		rule:       "规则",
		threshold:  "阈值",
		partitions: "最慢分区",
		members:    "读取成员",
		unknown:    "未知分区",
		started:    "开始",
		lastReport: "最后上报",
		address:    "最后地址",
		lastValues: "最后数据",
		ended:      "恢复",
		detail:     "详情",
		cause:      "原因",
		advice:     "处理",

		source:    "查看来源",
		runbook:   "处理手册",
		dashboard: "监控图表",
		allAlerts: "全部告警",

		lagHeadline: func(lag, threshold string) string {
			if threshold == "" {
				return "积压 " + lag + " 条"
			}
			return "积压 " + lag + " 条，阈值 " + threshold + " 条"
		},
		lagShortHeadline: func(lag, threshold, duration string) string {
			s := lag
			if threshold != "" {
				s += " / " + threshold
			}
			s += " 条"
			if duration != "" {
				s += " · 已 " + duration
			}
			return s
		},
		totalLag: func(sum, worst, name string) string {
			return "合计积压 " + sum + " 条，最多的是 " + name + "（" + worst + " 条）"
		},
		notCounted: func(n string) string { return n + " 个，读不到位点，未计入积压" },

		status: map[alert.LagStatus]string{alert.StatusStalled: "消费停滞", alert.StatusStopped: "消费已停止", alert.StatusHungTransaction: "事务一直未结束", alert.StatusAhead: "位点超出日志末端", alert.StatusRewind: "位点回退", alert.StatusGrowing: "在增长"},
		statusReason: map[alert.LagStatus]string{
			alert.StatusStalled:         "消费者在线，但不再提交位点",
			alert.StatusStopped:         "没有消费者在线",
			alert.StatusHungTransaction: "未结束的事务挡住了后面的消息",
			alert.StatusAhead:           "提交位点超出日志末端，可能是主题重建或数据丢失",
			alert.StatusRewind:          "位点倒退了，消息会重复消费",
			alert.StatusGrowing:         "消费得比写入慢",
		},
		comma:        "，",
		state:        "状态",
		growth:       "持续增长",
		rate:         "速率",
		readFrom:     "来源",
		lost:         func(n string) string { return n + " 条消息未读就被删除" },
		oldestUnread: func(age string) string { return "最早未读 " + age + "前" },
		drainsIn:     func(drain string) string { return "约 " + drain + "追平" },
		rates: func(in, out, drain string) string {
			s := "写入 " + in + " 条/秒，消费 " + out + " 条/秒"
			if drain != "" {
				s += "，" + drain
			}
			return s
		},
		never:    "追不上",
		cloudAPI: "云 API（Kafka 协议连不上）",

		resolvedAfter: func(duration string) string {
			if duration == "" {
				return "已恢复"
			}
			return "已恢复，持续了 " + duration
		},
		lagResolved: func(duration, lag string) string {
			s := "已恢复"
			if duration != "" {
				s += "，持续了 " + duration
			}
			if lag != "" {
				s += "，最后读数 " + lag + " 条"
			}
			return s
		},
		allResolved: func(longest string) string { return "全部恢复，最长持续了 " + longest },
		pollResolved: func(duration string) string {
			if duration == "" {
				return "又能读到积压了"
			}
			return "又能读到积压了，中断了 " + duration
		},
		hostResolved: func(duration string) string {
			if duration == "" {
				return "恢复上报"
			}
			return "恢复上报，失联了 " + duration
		},

		unwatched:       func(place string) string { return "现在看不到" + place + "的积压，涨了也不会告警" },
		partlyUnwatched: func(place string) string { return place + "的积压看不全，看得到的照常告警" },
		clusterOrGroup: func(cluster, group string) string {
			s := "集群"
			if cluster != "" {
				s += " " + cluster + " "
			}
			if group != "" {
				s += "里消费组 " + group + " "
			}
			return s
		},
		pollAdvice: "检查访问凭证、网络和 Kafka 本身；能读到之后会自动恢复",
		noReportFor: func(duration string) string {
			if duration == "" {
				return "没有上报"
			}
			return "已经 " + duration + "没有上报"
		},
		lasting: func(duration string) string { return "已 " + duration },
		timeWithDuration: func(at, duration string) string {
			if duration == "" {
				return at
			}
			return at + "（已 " + duration + "）"
		},

		merged: func(n int) string { return fmt.Sprintf("消息过多，这一条合并了 %d 条", n) },
		fallbackFor: func(receiver, cause string) string {
			if cause == "" {
				return "代 " + receiver + " 发送"
			}
			return "代 " + receiver + " 发送：" + cause
		},
		templateError: func(err string) string { return "自定义模板出错，这里是内置文案：" + err },
		chartAlt:      func(title, span string) string { return title + " 最近 " + span + "的积压曲线" },

		duration: func(d time.Duration) string { return humanize.Duration(d, "zh") },
	}
}
