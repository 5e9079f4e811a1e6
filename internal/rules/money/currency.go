package money

import "strings"

// digits are the decimal places of the minor unit of each currency: ISO 4217, List One, as of 2026, with those withdrawn since 2020,
// in which sales may still be reported. Codes without a minor unit (gold, drawing rights, "no currency") are left out.
var digits = places(map[int]string{
	0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
	2: `AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU
		CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES
		KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB
		PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD
		TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG ZWL`,
	3: "BHD IQD JOD KWD LYD OMR TND",
	4: "CLF UYW",
})

func places(lists map[int]string) map[string]int {
	out := map[string]int{}
	for n, list := range lists {
		for _, code := range strings.Fields(list) {
			out[code] = n
		}
	}
	return out
}

// Digits returns how many decimal places the minor unit of a currency has: 2 for USD, 0 for JPY, 3 for KWD. False for a code that ISO
// 4217 does not list or gives no minor unit.
func Digits(currency string) (int, bool) {
	n, ok := digits[currency]
	return n, ok
}
