package lag

import (
	"errors"
	"fmt"
	"strings"

	"tocsin/pkg/humanize"
	"tocsin/pkg/lag/trend"
)

// words are the built-in texts for people, in one language.
type messages struct {
	language string // "zh" or "en"

	over, under            string // group, topic, lag, limit
	trouble, fine          string // group, topic, what is found; group, topic, lag
	left, leftLimit        string // lag; lag, limit
	oldest                 string // age, limit
	grows                  string // for how long
	lost                   string // how many
	states                 map[trend.State]string
	worst, item, separator string // list of items; partition, lag
	unknown                string // count
	topicGone, groupGone   string // group, topic
	unsubscribed           string // group, topic
	ruleGone               string // rule
	clusterGone            string // cluster

	clusterFailed, clusterBack string // cluster
	groupFailed, groupBack     string // group, cluster
	clusterPartly              string // cluster
	groupPartly                string // group, cluster
	failedGroupGone            string // group, cluster
	unread                     string // groups that could not be read, all groups, cause
	meanwhile, partly          string // cause
	unlisted, undescribed      string // cause
	neither                    string // cause, other cause
	ageless                    string // topic, partition, cause
	damaged                    string // cluster
}

var chinese = messages{
	language: "zh",

	over:      "%[1]s 消费 %[2]s 积压 %[3]s 条（阈值 %[4]s）",
	under:     "%[1]s 消费 %[2]s 的积压已降到 %[3]s 条（阈值 %[4]s）",
	trouble:   "%s 消费 %s：%s",
	fine:      "%s 消费 %s 已恢复正常，积压 %s 条",
	left:      "积压 %s 条",
	leftLimit: "积压 %s 条（阈值 %s）",
	oldest:    "最早未读 %s前（阈值 %s）",
	grows:     "积压已持续增长 %s",
	lost:      "%s 条消息未读就被删除",
	states: map[trend.State]string{
		trend.Stalled: "停滞（有成员，但不再提交）",
		trend.Stopped: "已停止（没有成员）",
		trend.Rewind:  "位点回退",
		trend.Growing: "积压在增长",
	},
	worst:        "积压最多的分区：%s。",
	item:         "%d 号 %s 条",
	separator:    "，",
	unknown:      "另有 %d 个分区的积压未知，没有计入。",
	topicGone:    "消费组 %s 已不再有主题 %s，告警结束",
	groupGone:    "消费组 %[1]s 已不存在，主题 %[2]s 的告警结束",
	unsubscribed: "消费组 %[1]s 已不再订阅主题 %[2]s，告警结束",
	ruleGone:     "规则 %s 已被删除或修改，告警结束",
	clusterGone:  "集群 %s 已从配置中删除，告警结束",

	clusterFailed:   "读不到集群 %s 的消费积压",
	clusterBack:     "又能读到集群 %s 的消费积压了",
	groupFailed:     "读不到消费组 %s 的积压（集群 %s）",
	groupBack:       "又能读到消费组 %s 的积压了（集群 %s）",
	clusterPartly:   "集群 %s 的消费积压看不全",
	groupPartly:     "消费组 %s 的积压看不全（集群 %s）",
	failedGroupGone: "消费组 %s 已不再监控（集群 %s），告警结束",
	unread:          "%[2]d 个消费组中有 %[1]d 个读不到：%[3]s",
	meanwhile:       "%s。恢复之前不判断它的积压，已有的告警保持不变。",
	partly:          "%s。其余照常判断；看不到的部分，已有的告警保持不变。",
	unlisted:        "有一部分消费组列不出来：%s",
	undescribed:     "查不到消费组的成员，分不清停滞与停止：%s",
	neither:         "Kafka 协议和云 API 都读不到。协议：%s；API：%s",
	ageless:         "不知道 %s 的 %d 号分区里未读消息有多旧：%s",
	damaged:         "集群 %s 的已存状态损坏，已重新开始；之前触发、现已恢复的告警可能需要手动结束",
}

var english = messages{
	language: "en",

	over:      "%[1]s is %[3]s behind on %[2]s (limit %[4]s)",
	under:     "%[1]s is down to %[3]s behind on %[2]s (limit %[4]s)",
	trouble:   "%s on %s: %s",
	fine:      "%s on %s is fine again, %s behind",
	left:      "%s behind",
	leftLimit: "%s behind (limit %s)",
	oldest:    "oldest unread message %s old (limit %s)",
	grows:     "lag growing for %s",
	lost:      "%s messages deleted unread",
	states: map[trend.State]string{
		trend.Stalled: "stalled (has members, commits nothing)",
		trend.Stopped: "stopped (has no members)",
		trend.Rewind:  "set back",
		trend.Growing: "falling behind",
	},
	worst:        "Furthest behind: %s.",
	item:         "partition %d by %s",
	separator:    ", ",
	unknown:      " Partitions of unknown lag, not counted: %d.",
	topicGone:    "%s has no topic %s any more; the alert ends",
	groupGone:    "The consumer group %[1]s does not exist any more; the alert about %[2]s ends",
	unsubscribed: "Nobody in %[1]s reads %[2]s any more; the alert ends",
	ruleGone:     "The rule %s was removed or changed; the alert ends",
	clusterGone:  "The cluster %s was removed from the configuration; the alert ends",

	clusterFailed:   "The consumer lag of cluster %s cannot be read",
	clusterBack:     "The consumer lag of cluster %s can be read again",
	groupFailed:     "The lag of consumer group %s cannot be read (cluster %s)",
	groupBack:       "The lag of consumer group %s can be read again (cluster %s)",
	clusterPartly:   "The consumer lag of cluster %s is not seen in full",
	groupPartly:     "The lag of consumer group %s is not seen in full (cluster %s)",
	failedGroupGone: "The consumer group %s is not watched any more (cluster %s); the alert ends",
	unread:          "%d of %d consumer groups could not be read: %s",
	meanwhile:       "%s. Until it can be read again its lag is not judged, and alerts that fire stay as they are.",
	partly:          "%s. The rest is judged as usual; alerts about what cannot be seen stay as they are.",
	unlisted:        "some of the consumer groups could not be listed: %s",
	undescribed:     "the members of the group could not be asked for, so that stalled and stopped cannot be told apart: %s",
	neither:         "neither Kafka's protocol nor the cloud's API could be read. The protocol: %s. The API: %s",
	ageless:         "the age of unread messages in partition %[2]d of %[1]s is not known: %[3]s",
	damaged:         "The stored state of cluster %s was damaged and has been started anew; alerts that fired before and are over may have to be ended by hand",
}

// wordsIn returns the texts of a language, "zh" or "en"; any other is "zh", the
// default of global.language.
func wordsIn(language string) *messages {
	if language == "en" {
		return &english
	}
	return &chinese
}

// detail says which partitions are behind and how many are unknown.
func (w *messages) detail(worst []Partition, unknown int) string {
	var b strings.Builder
	if len(worst) > 0 {
		var items []byte
		for i, p := range worst {
			if i > 0 {
				items = append(items, w.separator...)
			}
			items = fmt.Appendf(items, w.item, p.ID, humanize.Int(p.Lag))
		}
		fmt.Fprintf(&b, w.worst, items)
	}
	if unknown > 0 {
		fmt.Fprintf(&b, w.unknown, unknown)
	}
	return strings.TrimSpace(b.String())
}

// cause returns an error in words for people: its own, if it has some.
func cause(err error, language string) string {
	var worded interface{ Text(language string) string }
	if errors.As(err, &worded) {
		return worded.Text(language)
	}
	return err.Error()
}
