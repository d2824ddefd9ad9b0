package lag

import "testing"

// An alert about single partitions lists those above the limit only.
func TestMaxPartitionLagNamesThePartitions(t *testing.T) {
	snap := newSnapshot(newGroup("g", newTopic("orders", "700 5000 1000 3100")))
	rule := Rule{Alert: "Hot", MaxPartitionLag: ptr(1000)}
	for language, want := range map[string]map[string]string{
		"en": {
			"lag": "9800", "threshold": "", "partitions": "1:5000,3:3100",
			"summary":     "g on orders: partition 1 5,000 behind (limit 1,000), 9,800 behind",
			"description": "Furthest behind: partition 1 by 5,000, partition 3 by 3,100.",
		},
		"zh": {
			"summary":     "g 消费 orders：1 号分区积压 5,000 条（阈值 1,000），积压 9,800 条",
			"description": "积压最多的分区：1 号 5,000 条，3 号 3,100 条。",
		},
	} {
		t.Run(language, func(t *testing.T) {
			alerts := lastAlerts(NewEvaluator([]Rule{rule}, "c", language), snap)
			if len(alerts) != 1 {
				t.Fatalf("%d alerts, want 1", len(alerts))
			}
			wantAnnotations(t, alerts[0], want)
		})
	}
}

func TestMaxPartitionLagIsNotNegative(t *testing.T) {
	_, got := loadConfig(t, oneCluster+"rules: [{alert: A, max_partition_lag: -1}]")
	if want := "rules.0.max_partition_lag must be 0 or more, not -1"; got != want {
		t.Errorf("faults = %q, want %q", got, want)
	}
}
