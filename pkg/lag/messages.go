package lag

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin/pkg/humanize"
	"tocsin/pkg/lag/trend"
)

// messages are the built-in texts in one language. The comments list the arguments
// of the formats.
type messages struct {
	language string // "zh" or "en"

	// Summaries of lag alerts.
	lagAbove, lagBelow string // group, topic, lag, limit
	problem            string // group, topic, list of the conditions met
	recovered          string // group, topic, lag
	lossEnded          string // group, topic, lag

	groupProblem  string // group, list of the conditions met
	groupResolved string // group
	groupStates   map[GroupState]string
	membersBelow  string // number, limit

	// Parts of a problem.
	lag, lagLimit string // lag; lag, limit
	partitionLag  string // id, lag, limit
	oldestUnread  string // age, limit
	growing       string // duration
	lost, lostOne string // number
	states        map[trend.State]string

	// Descriptions of lag alerts.
	worstPartitions, partition                   string // list of partitions; id, lag
	lostPartitions, lostPartition, listSeparator string // list of partitions; id, commit, log start
	aheadPartitions, aheadPartition              string // list of partitions; id, commit, log end
	openTransactions, openTransaction            string // list of partitions; id, producer id, epoch, offset
	separator                                    string
	readBy                                       string // members with their partitions
	unknownPartitions                            string // number

	// Summaries of alerts that end without a current lag.
	topicGone, groupGone string // group, topic
	wholeGroupGone       string // group
	unsubscribed         string // group, topic
	ruleGone             string // rule
	clusterGone          string // cluster
	failedGroupGone      string // group, cluster

	// Summaries and descriptions of failed polls.
	clusterFailed, clusterPartial, clusterRecovered string // cluster
	groupFailed, groupPartial, groupRecovered       string // group, cluster
	lagUnknown, restEvaluated                       string // cause

	// Nothing to watch.
	nothingToWatch, watching string // cluster
	noGroups, checkGroups    string
	unmatched                string // patterns

	// Errors.
	failedGroups          string // failed groups, all groups, one of them, cause
	unlisted, undescribed string // cause
	bothFailed            string // cause by Kafka's protocol, cause by the API
	ageUnknown            string // topic, partition, cause
	stateDamaged          string // cluster
}

var zhMessages = messages{
	language: "zh",

	lagAbove:      "%[1]s 消费 %[2]s 积压 %[3]s 条（阈值 %[4]s）",
	lagBelow:      "%[1]s 消费 %[2]s 的积压已降到 %[3]s 条（阈值 %[4]s）",
	problem:       "%s 消费 %s：%s",
	recovered:     "%s 消费 %s 已恢复正常，积压 %s 条",
	lossEnded:     "%s 消费 %s 的告警结束，积压 %s 条；未读就被删除的消息不会恢复",
	groupProblem:  "消费组 %s：%s",
	groupResolved: "消费组 %s 已恢复正常",
	groupStates: map[GroupState]string{
		GroupEmpty: "没有成员", GroupDead: "不存在", GroupRebalancing: "正在再均衡",
	},
	membersBelow: "有 %d 个成员（至少应有 %d 个）",
	lag:          "积压 %s 条",
	lagLimit:     "积压 %s 条（阈值 %s）",
	partitionLag: "%d 号分区积压 %s 条（阈值 %s）",
	oldestUnread: "最早未读 %s前（阈值 %s）",
	growing:      "积压已持续增长 %s",
	lost:         "%s 条消息未读就被删除",
	lostOne:      "%s 条消息未读就被删除",
	states: map[trend.State]string{
		trend.Stalled:         "停滞（有成员，但不再提交）",
		trend.Stopped:         "已停止（没有成员）",
		trend.HungTransaction: "被未结束的事务挡住",
		trend.Ahead:           "提交位点超出日志末端",
		trend.Rewind:          "位点回退",
		trend.Growing:         "积压在增长",
	},
	worstPartitions:   "积压最多的分区：%s。",
	partition:         "%d 号 %s 条",
	lostPartitions:    "未读就被删除：%s。",
	lostPartition:     "%d 号提交到 %s，日志从 %s 开始",
	openTransactions:  "被未结束的事务挡住：%s。",
	openTransaction:   "%d 号，生产者 %d（epoch %d），从位点 %s 起",
	aheadPartitions:   "超出日志末端：%s。",
	aheadPartition:    "%d 号提交到 %s，日志到 %s 为止",
	listSeparator:     "；",
	separator:         "，",
	readBy:            "读取它们的成员：%s。",
	unknownPartitions: "另有 %d 个分区的积压未知，没有计入。",
	topicGone:         "消费组 %s 已不再有主题 %s，告警结束",
	groupGone:         "消费组 %[1]s 已不存在，主题 %[2]s 的告警结束",
	wholeGroupGone:    "消费组 %s 已不存在，告警结束",
	unsubscribed:      "消费组 %[1]s 已不再订阅主题 %[2]s，告警结束",
	ruleGone:          "规则 %s 已被删除或修改，告警结束",
	clusterGone:       "集群 %s 已从配置中删除，告警结束",

	clusterFailed:    "读不到集群 %s 的消费积压",
	clusterRecovered: "又能读到集群 %s 的消费积压了",
	groupFailed:      "读不到消费组 %s 的积压（集群 %s）",
	groupRecovered:   "又能读到消费组 %s 的积压了（集群 %s）",
	clusterPartial:   "集群 %s 的消费积压看不全",
	groupPartial:     "消费组 %s 的积压看不全（集群 %s）",
	failedGroupGone:  "消费组 %s 已不再监控（集群 %s），告警结束",
	nothingToWatch:   "集群 %s 中没有可监控的消费组",
	watching:         "集群 %s 中又有可监控的消费组了",
	noGroups:         "连续五次采集没有找到任何消费组。",
	unmatched:        "连续五次采集没有找到与 include 中 %s 匹配的消费组。",
	checkGroups:      "请检查 groups 的拼写；也可能是用户缺少对消费组的 DESCRIBE 权限，Broker 不会列出无权查看的消费组，也不报错。",
	failedGroups:     "%[2]d 个消费组中有 %[1]d 个读不到或读不全，如 %[3]s：%[4]s",
	lagUnknown:       "%s。恢复之前不判断它的积压，已有的告警保持不变。",
	restEvaluated:    "%s。其余照常判断；看不到的部分，已有的告警保持不变。",
	unlisted:         "有一部分消费组列不出来：%s",
	undescribed:      "查不到消费组的成员，分不清停滞与停止：%s",
	bothFailed:       "Kafka 协议和云 API 都读不到。协议：%s；API：%s",
	ageUnknown:       "不知道 %s 的 %d 号分区里未读消息有多旧：%s",
	stateDamaged:     "集群 %s 的已存状态损坏，已重新开始；之前触发、现已恢复的告警可能需要手动结束",
}

var enMessages = messages{
	language: "en",

	lagAbove:      "%[1]s is %[3]s behind on %[2]s (limit %[4]s)",
	lagBelow:      "%[1]s is down to %[3]s behind on %[2]s (limit %[4]s)",
	problem:       "%s on %s: %s",
	recovered:     "%s on %s is fine again, %s behind",
	lossEnded:     "%s on %s: the alert ends, %s behind; messages deleted unread stay lost",
	groupProblem:  "%s: %s",
	groupResolved: "%s is fine again",
	groupStates: map[GroupState]string{
		GroupEmpty: "has no members", GroupDead: "does not exist", GroupRebalancing: "is rebalancing",
	},
	membersBelow: "members: %d, at least %d expected",
	lag:          "%s behind",
	lagLimit:     "%s behind (limit %s)",
	partitionLag: "partition %d %s behind (limit %s)",
	oldestUnread: "oldest unread message %s old (limit %s)",
	growing:      "lag growing for %s",
	lost:         "%s messages deleted unread",
	lostOne:      "%s message deleted unread",
	states: map[trend.State]string{
		trend.Stalled:         "stalled (has members, commits nothing)",
		trend.Stopped:         "stopped (has no members)",
		trend.HungTransaction: "held back by a transaction that is not ended",
		trend.Ahead:           "ahead (the commit is beyond the log end)",
		trend.Rewind:          "set back",
		trend.Growing:         "falling behind",
	},
	worstPartitions:   "Furthest behind: %s.",
	partition:         "partition %d by %s",
	lostPartitions:    "Deleted unread: %s. ",
	lostPartition:     "partition %d, committed %s, the log starts at %s",
	openTransactions:  "Held back by an open transaction: %s. ",
	openTransaction:   "partition %d, producer %d (epoch %d), from offset %s on",
	aheadPartitions:   "Beyond the log end: %s. ",
	aheadPartition:    "partition %d, committed %s, the log ends at %s",
	listSeparator:     "; ",
	separator:         ", ",
	readBy:            " Read by %s.",
	unknownPartitions: " Partitions of unknown lag, not counted: %d.",
	topicGone:         "%s has no topic %s any more; the alert ends",
	groupGone:         "The consumer group %[1]s does not exist any more; the alert about %[2]s ends",
	wholeGroupGone:    "The consumer group %s does not exist any more; the alert ends",
	unsubscribed:      "Nobody in %[1]s reads %[2]s any more; the alert ends",
	ruleGone:          "The rule %s was removed or changed; the alert ends",
	clusterGone:       "The cluster %s was removed from the configuration; the alert ends",

	clusterFailed:    "The consumer lag of cluster %s cannot be read",
	clusterRecovered: "The consumer lag of cluster %s can be read again",
	groupFailed:      "The lag of consumer group %s cannot be read (cluster %s)",
	groupRecovered:   "The lag of consumer group %s can be read again (cluster %s)",
	clusterPartial:   "The consumer lag of cluster %s is not seen in full",
	groupPartial:     "The lag of consumer group %s is not seen in full (cluster %s)",
	failedGroupGone:  "The consumer group %s is not watched any more (cluster %s); the alert ends",
	nothingToWatch:   "There is no consumer group to watch in cluster %s",
	watching:         "There are consumer groups to watch in cluster %s again",
	noGroups:         "Five polls in a row found no consumer group. ",
	unmatched:        "Five polls in a row found no consumer group that matches %s of include. ",
	checkGroups:      "Check the spelling in groups, and that the user may describe groups (DESCRIBE): brokers leave out others without an error.",
	failedGroups:     "%d of %d consumer groups could not be read completely, such as %s: %s",
	lagUnknown:       "%s. Until it can be read again its lag is not evaluated, and firing alerts stay as they are.",
	restEvaluated:    "%s. The rest is evaluated as usual; alerts about the part that cannot be read stay as they are.",
	unlisted:         "some of the consumer groups could not be listed: %s",
	undescribed:      "the members of the group could not be read, so that stalled and stopped cannot be distinguished: %s",
	bothFailed:       "neither Kafka's protocol nor the cloud's API could be read. The protocol: %s. The API: %s",
	ageUnknown:       "the age of unread messages in partition %[2]d of %[1]s is not known: %[3]s",
	stateDamaged:     "The stored state of cluster %s was damaged and has been reset; alerts that fired before and have resolved may have to be ended by hand",
}

// messagesIn returns the texts in a language, "zh" or "en"; any other is "zh", the
// default of global.language.
func messagesIn(language string) *messages {
	if language == "en" {
		return &enMessages
	}
	return &zhMessages
}

// firingSummary returns the summary of a firing alert: the conditions met and the
// lag.
func (m *messages) firingSummary(r *Rule, group, topic string, d *TemplateData) string {
	lag, limit := humanize.Int(d.Lag), humanize.Int(d.Threshold)
	if r.hasOnlyMaxLag() {
		return fmt.Sprintf(m.lagAbove, group, topic, lag, limit)
	}
	var parts []string
	if r.Lost && d.Lost > 0 {
		lost := m.lost
		if d.Lost == 1 {
			lost = m.lostOne
		}
		parts = append(parts, fmt.Sprintf(lost, humanize.Int(d.Lost)))
	}
	if state := trend.State(d.Status); slices.Contains(r.Status, state) {
		parts = append(parts, m.states[state])
	}
	if r.MaxDelay > 0 && d.Delay > 0 {
		parts = append(parts, fmt.Sprintf(m.oldestUnread, humanize.Duration(d.Delay.Std(), m.language), humanize.Duration(r.MaxDelay.Std(), m.language)))
	}
	if r.GrowingFor > 0 && d.GrowingFor > 0 {
		parts = append(parts, fmt.Sprintf(m.growing, humanize.Duration(d.GrowingFor.Std(), m.language)))
	}
	if r.MaxPartitionLag != nil && len(d.Partitions) > 0 && d.Partitions[0].Lag > *r.MaxPartitionLag {
		worst := d.Partitions[0]
		parts = append(parts, fmt.Sprintf(m.partitionLag, worst.ID, humanize.Int(worst.Lag), humanize.Int(*r.MaxPartitionLag)))
	}
	if r.MaxLag != nil {
		parts = append(parts, fmt.Sprintf(m.lagLimit, lag, limit))
	} else {
		parts = append(parts, fmt.Sprintf(m.lag, lag))
	}
	return fmt.Sprintf(m.problem, group, topic, strings.Join(parts, m.separator))
}

// resolvedSummary returns the summary of an alert whose conditions are no longer
// met.
func (m *messages) resolvedSummary(r *Rule, group, topic string, d *TemplateData) string {
	if r.hasOnlyMaxLag() {
		return fmt.Sprintf(m.lagBelow, group, topic, humanize.Int(d.Lag), humanize.Int(d.Threshold))
	}
	if r.Lost {
		return fmt.Sprintf(m.lossEnded, group, topic, humanize.Int(d.Lag))
	}
	return fmt.Sprintf(m.recovered, group, topic, humanize.Int(d.Lag))
}

// hasOnlyStatus reports whether Status is the only condition of the rule.
func (r *Rule) hasOnlyStatus() bool {
	return r.MaxLag == nil && len(r.Status) > 0 && len(r.otherConditions()) == 1
}

// hasOnlyMaxLag reports whether MaxLag is the only condition of the rule.
func (r *Rule) hasOnlyMaxLag() bool {
	return r.MaxLag != nil && len(r.otherConditions()) == 0
}

// partitionDetails returns the description of an alert: the evidence, the partitions
// furthest behind, who reads them, and how many have an unknown lag.
func (m *messages) partitionDetails(evidence string, d *TemplateData) string {
	var b strings.Builder
	b.WriteString(evidence)
	if len(d.Partitions) > 0 {
		var list []byte
		for i, p := range d.Partitions {
			if i > 0 {
				list = append(list, m.separator...)
			}
			list = fmt.Appendf(list, m.partition, p.ID, humanize.Int(p.Lag))
		}
		fmt.Fprintf(&b, m.worstPartitions, list)
	}
	if len(d.Members) > 0 {
		fmt.Fprintf(&b, m.readBy, formatHolders(d.Members))
	}
	if d.UnknownPartitions > 0 {
		fmt.Fprintf(&b, m.unknownPartitions, d.UnknownPartitions)
	}
	return strings.TrimSpace(b.String())
}

// errorText returns the text of an error in a language: by its method Text, if it
// has one.
func errorText(err error, language string) string {
	var localized interface{ Text(language string) string }
	if errors.As(err, &localized) {
		return localized.Text(language)
	}
	return err.Error()
}
