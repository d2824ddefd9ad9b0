package deploy

import "testing"

// testSchedules checks that parse accepts the valid schedules and refuses the others
// with their errors.
func testSchedules(t *testing.T, parse func(string) error, valid []string, faulty map[string]string) {
	t.Helper()
	for _, s := range valid {
		t.Run("valid "+s, func(t *testing.T) {
			if err := parse(s); err != nil {
				t.Errorf("got error %v, want none", err)
			}
		})
	}
	for s, want := range faulty {
		t.Run("faulty "+s, func(t *testing.T) {
			if err := parse(s); err == nil || err.Error() != want {
				t.Errorf("got error %v, want %s", err, want)
			}
		})
	}
}

func TestSCFCron(t *testing.T) {
	testSchedules(t, scfCron, []string{
		"*/5 * * * * * *",       // every 5 s, from the documentation
		"0 */5 * * * * *",       // every 5 min, from the documentation
		"0 */1 * * * * *",       // ours
		"0 0 2 1 * * *",         // 02:00 on the first of the month
		"0 15 10 * * MON-FRI *", // weekdays
		"0 0 10,14,16 * * 0 2026-2027",
		"59 59 23 31 DEC 6 2099",
	}, map[string]string{
		"":                     `"" has 1 fields, not 7`,
		"*/1 * * * *":          `"*/1 * * * *" has 5 fields, not 7`,
		"0 */1 * * * *":        `"0 */1 * * * *" has 6 fields, not 7`,
		"0  */1 * * * * *":     `"0  */1 * * * * *" has 8 fields, not 7`,
		"60 * * * * * *":       `"60 * * * * * *": "60" is not a second`,
		"0 60 * * * * *":       `"0 60 * * * * *": "60" is not a minute`,
		"0 0 24 * * * *":       `"0 0 24 * * * *": "24" is not a hour`,
		"0 0 0 0 * * *":        `"0 0 0 0 * * *": "0" is not a day`,
		"0 0 0 1 13 * *":       `"0 0 0 1 13 * *": "13" is not a month`,
		"0 0 0 1 MAI * *":      `"0 0 0 1 MAI * *": "MAI" is not a month`,
		"0 0 0 * * 7 *":        `"0 0 0 * * 7 *": "7" is not a week`,
		"0 0 0 * * ? *":        `"0 0 0 * * ? *": "?" is not a week`,
		"0 0 0 * * FRI-MON *":  `"0 0 0 * * FRI-MON *": "FRI-MON" is not a week`,
		"0 0 0 * * * 1969":     `"0 0 0 * * * 1969": "1969" is not a year`,
		"0 0,,5 * * * * *":     `"0 0,,5 * * * * *": "" is not a minute`,
		"0 */0 * * * * *":      `"0 */0 * * * * *": "*/0" is not a minute`,
		"0 */x * * * * *":      `"0 */x * * * * *": "*/x" is not a minute`,
		"0 -5 * * * * *":       `"0 -5 * * * * *": "-5" is not a minute`,
		"0 +5 * * * * *":       `"0 +5 * * * * *": "+5" is not a minute`,
		"@every 1m":            `"@every 1m" has 2 fields, not 7`,
		"0 1- * * * * *":       `"0 1- * * * * *": "1-" is not a minute`,
		"0 10-5 * * * * *":     `"0 10-5 * * * * *": "10-5" is not a minute`,
		"0 5-10/61 * * * * *":  `"0 5-10/61 * * * * *": "5-10/61" is not a minute`,
		"0 5-10/2 0 1 1 SON *": `"0 5-10/2 0 1 1 SON *": "SON" is not a week`,
	})
}

func TestAWSSchedule(t *testing.T) {
	testSchedules(t, awsSchedule, []string{
		"rate(1 minute)", "rate(5 minutes)", "rate(1 hour)", "rate(24 hours)", "rate(1 day)",
		"cron(* * * * ? *)",
		"cron(15 10 ? * 6L 2022-2023)", // the last Friday, from the documentation
		"cron(0 18 ? * MON-FRI *)",
		"cron(0/10 8-17 L,15 * ? *)",
	}, map[string]string{
		"rate(1 minutes)":     `"rate(1 minutes)": one is singular, more is plural`,
		"rate(5 minute)":      `"rate(5 minute)": one is singular, more is plural`,
		"rate(0 minutes)":     `"rate(0 minutes)" is neither rate(1 minute) nor cron(...)`,
		"rate(30 seconds)":    `"rate(30 seconds)" is neither rate(1 minute) nor cron(...)`,
		"1 minute":            `"1 minute" is neither rate(1 minute) nor cron(...)`,
		"cron(* * * * *)":     `"* * * * *" has 5 fields, not 6`,
		"cron(0 * * * * * *)": `"0 * * * * * *" has 7 fields, not 6`,
		"cron(* * * * * *)":   `"cron(* * * * * *)": one of day of month and day of week must be ?`,
		"cron(* * ? * ? *)":   `"cron(* * ? * ? *)": one of day of month and day of week must be ?`,
		"cron(60 * * * ? *)":  `"60 * * * ? *": "60" is not a minute`,
		"cron(0 0 ? * 0 *)":   `"0 0 ? * 0 *": "0" is not a day of week`,
		"cron(0 0 ? * 8 *)":   `"0 0 ? * 8 *": "8" is not a day of week`,
	})
}
