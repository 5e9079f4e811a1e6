package conform

import (
	"errors"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// currency is one of a file that stands for any of so many digits. Rates are those of the workspace, so a story about them takes
// currencies between which none has been told.
type currency struct {
	line   int
	name   string
	digits int
}

var currencies = map[int][]string{
	0: strings.Fields("CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"),
	2: strings.Fields("AED AUD BRL CAD CHF CNY CZK DKK EGP EUR GBP HKD HUF IDR ILS INR KES MAD MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON SAR SEK SGD THB TRY TWD UAH USD UYU ZAR"),
	3: strings.Fields("BHD IQD JOD KWD LYD OMR TND"),
}

func (f file) currencies(n *yaml.Node) (out []currency, err error) {
	for name, v := range members(n) {
		digits, err := number(v)
		if err != nil || currencies[digits] == nil {
			return nil, errors.New("a currency has 0, 2 or 3 digits")
		}
		out = append(out, currency{name.Line, name.Value, digits})
	}
	return out, nil
}

// pickCurrencies finds what the currencies of the file stand for in this telling.
func (p *play) pickCurrencies() {
	for range 200 {
		p.coins = map[string]string{}
		var taken []string
		for _, c := range p.digits {
			coin := currencies[c.digits][rand.IntN(len(currencies[c.digits]))]
			p.coins[c.name] = coin
			taken = append(taken, coin)
		}
		slices.Sort(taken)
		if len(slices.Compact(taken)) == len(p.digits) && p.unheardOf() && p.claim() {
			return
		}
	}
	p.stop(p.digits[0].line, "every currency has a rate in this workspace; take another one")
}

// claim takes the pairs for this telling, and reports whether no other one in the workspace has any of them.
func (p *play) claim() bool {
	free := true
	for _, from := range p.coins {
		for _, to := range p.coins {
			if _, taken := p.clock.pairs.LoadOrStore([2]string{from, to}, p); from != to && taken {
				free = false
			}
		}
	}
	return free
}

// unheardOf reports whether no rate between the currencies is known.
func (p *play) unheardOf() bool {
	for _, from := range p.coins {
		for _, to := range p.coins {
			if from == to {
				continue
			}
			a, err := p.api.read(p.ctx, "/v1/exchange-rates?"+url.Values{"from_currency": {from}, "to_currency": {to}, "limit": {"1"}}.Encode())
			if err != nil || a.get("data.0") != nil {
				return false
			}
		}
	}
	return true
}
