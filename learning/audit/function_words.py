"""Words that sentences are made of, whatever they are about: the commonest of seven languages."""

_LISTS = """
the of and to in is it that for on with as at by an be are was were this from or not but have has had they you we he she his
her its their our your my me him them us who which what when where how there if than then so do does did can could would
will should about into out up over no all any been am also just more some such only other these those please
der die das und ist in den dem des ein eine einen einem einer eines zu mit von auf für nicht auch sich es ich wir ihr sie er
als an bei aus nach wie im am um wenn oder aber hat haben war sind wird werden kann noch nur so dass zum zur über mein meine
le la les un une des du de et est en dans pour sur avec que qui ne pas ce cette ces il elle nous vous ils je mon ma mes son
sa ses au aux par plus ou mais se sont été être avoir ont était
el los las una unos del al que por con para como su sus es son no lo más pero si ya muy mi me se está fue ha han
il lo gli uno dei delle della di da per non che è sono ho ha hanno con su nel nella come più mio mia si ma anche questo questa
os as um uma do dos da das em no na nos nas por não com se foi mais ao seu sua meu minha são está eu você
het een van ik je dat niet op te zijn aan voor met er maar om hem dan zou wat mijn men dit zo door over ze bij ook tot hij
naar heb heeft hoe wij jij deze
"""
FUNCTION_WORDS = frozenset(_LISTS.split())
