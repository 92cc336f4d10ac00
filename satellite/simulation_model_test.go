package satellite_test

// simpleModel says what must be, in days and plain maps. It shares nothing with
// the rules that it is compared with.
type simpleModel struct {
	lots     []simpleLot
	enforced map[string]bool
	above    map[string]string // tag: the tier above it
	devices  []*simpleDevice
	used     map[string]int // what all devices hold
	returned int            // devices whose licenses went back, ever
}

type simpleLot struct {
	tag        string
	quantity   int
	known      int // day of the sync that brings it
	start, end int // days; end 0: never
}

type simpleDevice struct {
	wants, holds map[string]int
	registered   bool
	contact      int // day
	issued       int // day of its certificate
	state        string
}

const (
	simpleSilence = 90
	simpleLife    = 365
)

func (m *simpleModel) purchased(tag string, day int) (sum int) {
	for _, l := range m.lots {
		if l.tag == tag && l.known <= day && l.start <= day && (l.end == 0 || day < l.end) {
			sum += l.quantity
		}
	}
	return sum
}

func (m *simpleModel) hold(d *simpleDevice, tag string, count int) {
	m.used[tag] += count - d.holds[tag]
	if d.holds[tag] = count; count == 0 {
		delete(d.holds, tag)
	}
}

// free is what is left of a tag by itself, below zero what is missing.
func (m *simpleModel) free(tag string, day int) int { return m.purchased(tag, day) - m.used[tag] }

// balance is free after the tier above has helped out, or after this one has. No
// hierarchy here has more than two tiers, and no tier two below it.
func (m *simpleModel) balance(tag string, day int) int {
	own := m.free(tag, day)
	if top, ok := m.above[tag]; ok && own < 0 {
		own += min(-own, max(0, m.free(top, day)))
	}
	for low, top := range m.above {
		if top == tag && own > 0 {
			own -= min(own, max(0, -m.free(low, day)))
		}
	}
	return own
}

// expire gives back what silent devices hold.
func (m *simpleModel) expire(day int) {
	for _, d := range m.devices {
		if d.registered && len(d.holds) > 0 && day-d.contact >= simpleSilence {
			for tag := range d.holds {
				m.hold(d, tag, 0)
			}
			d.state = "authorization expired"
			m.returned++
		}
	}
}

// ask is a contact that names these counts.
func (m *simpleModel) ask(d *simpleDevice, day int, counts map[string]int) {
	d.contact = day
	for tag, count := range counts {
		if d.wants[tag] = count; count == 0 {
			delete(d.wants, tag)
		}
	}
	for tag := range d.holds {
		if d.wants[tag] == 0 {
			m.hold(d, tag, 0)
		}
	}
	for tag, count := range d.wants {
		more := count - d.holds[tag]
		if m.enforced[tag] && more > 0 && more > m.free(tag, day) {
			continue
		}
		m.hold(d, tag, count)
	}
	d.state = "no licenses in use"
	for tag := range d.holds {
		d.state = "authorized"
		if m.balance(tag, day) < 0 {
			d.state = "out of compliance"
			return
		}
	}
}
