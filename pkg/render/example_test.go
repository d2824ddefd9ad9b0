package render_test

import (
	"fmt"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/render"
)

// The same notification as a Chinese and as an English document.
func ExampleNewDocument() {
	now := time.Date(2026, 11, 20, 15, 10, 10, 0, time.UTC)
	n := &alert.Notification{
		Receiver: "ops",
		At:       now,
		Alerts: []*alert.Alert{{
			Labels: alert.Labels{
				alert.NameLabel:    alert.ConsumerLagAlert,
				alert.ClusterLabel: "orders",
				alert.GroupLabel:   "order-worker",
				alert.TopicLabel:   "order-created",
			},
			Annotations: alert.Labels{
				alert.LagAnnotation:        alert.FormatCount(12345),
				alert.ThresholdAnnotation:  alert.FormatCount(2000),
				alert.PartitionsAnnotation: alert.FormatPartitions([]alert.PartitionLag{{ID: 3, Lag: 5000}, {ID: 7, Lag: 4100}}),
			},
			StartsAt: now.Add(-5 * time.Minute),
		}},
	}
	for _, language := range []string{"zh", "en"} {
		doc := render.NewDocument(n, &render.Style{Language: language, Location: time.FixedZone("CST", 8*60*60)})
		fmt.Println(doc.Title)
		fmt.Println(doc.Lead)
		for _, fact := range doc.Facts {
			fmt.Println(fact.Name + doc.Colon + fact.Value)
		}
	}
	// Output:
	// [告警] 消费积压 · orders / order-worker / order-created
	// 积压 12,345 条，阈值 2,000 条
	// 最慢分区：#3 5,000 · #7 4,100
	// 开始：11-20 23:05:10（已 5 分钟）
	// 集群：orders
	// 消费组：order-worker
	// Topic：order-created
	// [FIRING] Consumer lag · orders / order-worker / order-created
	// 12,345 messages behind, threshold 2,000
	// Worst partitions: #3 5,000 · #7 4,100
	// Started: 11-20 23:05:10 (for 5m)
	// Cluster: orders
	// Group: order-worker
	// Topic: order-created
}
