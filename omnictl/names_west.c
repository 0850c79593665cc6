/* Names of western and northern Europe and the Americas. */
#include "omnictl/names.h"

static const struct culture CULTURES[] = {
    {.given = "James|Mary|Michael|Jennifer|David|Linda|John|Elizabeth|Robert|Patricia|William|"
              "Sarah|Daniel|Emma|Thomas|Olivia|Christopher|Jessica|Matthew|Emily|Joshua|Ashley|"
              "Andrew|Megan|Ryan|Hannah|Oliver|Charlotte|Jack|Sophie|Harry|Chloe|George|Grace|Noah|"
              "Amelia|Liam|Ava|Ethan|Mia|Tyler|Zoë|Renée|Siobhán|Seán|Niamh|Aoife|Rhys|Callum|Isla|"
              "Latoya|DeShawn|J.R.|Mary Ann|Wolfgang|Æthelred|X Æ A-12",
     .family =
         "Smith|Johnson|Williams|Brown|Jones|Miller|Davis|Wilson|Anderson|Taylor|Thomas|Moore|"
         "Jackson|Martin|Lee|Thompson|White|Harris|Clark|Lewis|Robinson|Walker|Young|Allen|King|"
         "Wright|Scott|Hill|Green|Adams|Baker|Nelson|Carter|Mitchell|Campbell|Roberts|Evans|"
         "Turner|O'Brien|O’Connor|O'Neill|McDonald|MacLeod|Fitzgerald|Murphy|Kelly|Ryan|Byrne|"
         "St. John|Ó Súilleabháin|Ní Bhriain|Featherstonehaugh|Cholmondeley|Null|True|Test|"
         "Wolfeschlegelsteinhausenbergerdorff",
     .countries = "us|gb|ca|au|ie|nz|za",
     .weight = 190,
     .flags = CULTURE_MIDDLE | CULTURE_HYPHEN},
    {.given =
         "María|José|Antonio|Carmen|Juan|Ana|Manuel|Isabel|Francisco|Lucía|Luis|Laura|Javier|"
         "Marta|Carlos|Cristina|Miguel|Sofía|Alejandro|Valentina|Pedro|Elena|Jesús|Pilar|Ángel|"
         "Rosa|Diego|Camila|Jorge|Raquel|Santiago|Ximena|Andrés|Begoña|Íñigo|Núria|Óscar|Jordi|"
         "Guadalupe|María José|Juan Carlos|María de los Ángeles|José Luis|Ainhoa|Iñaki",
     .family =
         "García|Rodríguez|González|Fernández|López|Martínez|Sánchez|Pérez|Gómez|Martín|"
         "Hernández|Jiménez|Ruiz|Díaz|Moreno|Muñoz|Álvarez|Romero|Gutiérrez|Alonso|Navarro|"
         "Torres|Domínguez|Vázquez|Ramos|Gil|Ramírez|Serrano|Blanco|Molina|Castro|Ortega|Rubio|"
         "Núñez|Medina|Iglesias|Peña|Quiñones|de la Cruz|de la Fuente|del Río|Ybáñez|Güell|"
         "Puigdemont|Etxeberria",
     .countries = "mx|es|co|ar|pe|cl|ve",
     .weight = 110,
     .flags = CULTURE_TWO_FAMILIES},
    {.given =
         "Maria|João|Ana|Pedro|Francisca|Gabriel|Beatriz|Lucas|Juliana|Mateus|Fernanda|Rafael|"
         "Mariana|Gustavo|Camila|Thiago|Letícia|André|Inês|Tiago|Conceição|Luís|Cecília|Antônio|"
         "Márcia|Estêvão|Íris|Vinícius|Luana|Caetano",
     .family =
         "Silva|Santos|Oliveira|Souza|Rodrigues|Ferreira|Alves|Pereira|Lima|Gomes|Costa|Ribeiro|"
         "Martins|Carvalho|Almeida|Lopes|Soares|Fernandes|Vieira|Barbosa|Rocha|Dias|Nascimento|"
         "Araújo|Conceição|Magalhães|Guimarães|Simões|dos Santos|da Silva|de Sá|d'Ávila|Brandão",
     .countries = "br|pt|ao|mz",
     .weight = 70,
     .flags = CULTURE_TWO_FAMILIES},
    {.given =
         "Marie|Jean|Pierre|Camille|Nicolas|Léa|Thomas|Manon|Julien|Chloé|Louis|Inès|Lucas|Zoé|"
         "Hugo|Élodie|Antoine|Amélie|François|Hélène|Étienne|Aurélie|Benoît|Françoise|Jérôme|"
         "Maëlle|Loïc|Gaëlle|Noël|Océane|Cédric|Agnès|Théo|Anaïs|Jean-Pierre|Marie-Claude|"
         "Jean-Baptiste|Anne-Sophie|Clémence|Yann",
     .family =
         "Martin|Bernard|Dubois|Thomas|Robert|Richard|Petit|Durand|Leroy|Moreau|Simon|Laurent|"
         "Lefèvre|Michel|Garnier|David|Bertrand|Roux|Vincent|Fournier|Morel|Girard|André|Mercier|"
         "Lefebvre|Faure|Rousseau|Blanc|Guérin|Boyer|Lemaître|Le Goff|L'Hôpital|D'Alembert|"
         "de La Rochefoucauld|Œuvrard|Haÿ|Tremblay|Gagné|Côté",
     .countries = "fr|ca|be|ch|sn|ci",
     .weight = 70,
     .flags = CULTURE_HYPHEN | CULTURE_MIDDLE},
    {.given =
         "Anna|Lukas|Maria|Maximilian|Sophie|Paul|Emma|Jonas|Lena|Felix|Lea|Leon|Hannah|Finn|"
         "Mia|Elias|Laura|Tobias|Katharina|Stefan|Julia|Andreas|Sabine|Jürgen|Jörg|Käthe|Günther|"
         "Bärbel|Björn|Zoë|Hans-Peter|Karl-Heinz|Anneliese|Götz|Ulrike|Moritz|Änne|Öykü",
     .family =
         "Müller|Schmidt|Schneider|Fischer|Weber|Meyer|Wagner|Becker|Schulz|Hoffmann|Schäfer|Koch|"
         "Bauer|Richter|Klein|Wolf|Schröder|Neumann|Schwarz|Zimmermann|Braun|Krüger|Hofmann|"
         "Hartmann|Lange|Schmitt|Werner|Krause|Meier|Lehmann|Köhler|Weiß|Groß|Jäger|Böhm|Vogt|"
         "von Humboldt|zu Guttenberg|Müller-Lüdenscheidt|Strauß|Ümit",
     .countries = "de|at|ch|lu",
     .weight = 75,
     .flags = CULTURE_HYPHEN},
    {.given =
         "Giuseppe|Maria|Giovanni|Anna|Antonio|Francesca|Mario|Giulia|Luigi|Sofia|Francesco|Chiara|"
         "Alessandro|Martina|Lorenzo|Aurora|Matteo|Alice|Andrea|Elisa|Niccolò|Noè|Desirée|"
         "Donatella|"
         "Gianluca|Raffaella|Salvatore|Concetta",
     .family =
         "Rossi|Russo|Ferrari|Esposito|Bianchi|Romano|Colombo|Ricci|Marino|Greco|Bruno|Gallo|Conti|"
         "De Luca|Mancini|Costa|Giordano|Rizzo|Lombardi|Moretti|D'Angelo|Dell'Acqua|D’Amico|Nicolò|"
         "Di Stefano|Lo Presti|Cerè|Fabbri",
     .countries = "it|ch|sm",
     .weight = 50,
     .flags = CULTURE_MIDDLE},
    {.given =
         "Jan|Emma|Daan|Julia|Sem|Sophie|Lars|Anouk|Bram|Femke|Pieter|Maaike|Willem|Noortje|Joost|"
         "Sanne|Thijs|Loïs|Zoë|Anaïs|Geert|Ilse|Koen|Daniël|Raphaël|Fleur",
     .family =
         "de Jong|Jansen|de Vries|van den Berg|van Dijk|Bakker|Janssen|Visser|Smit|Meijer|de Boer|"
         "Mulder|de Groot|Bos|Vos|Peters|Hendriks|van Leeuwen|Dekker|Brouwer|van 't Hof|"
         "'t Hart|Coëlho|van der Meer|IJsbrandy|De Smet|Van Damme",
     .countries = "nl|be|sr",
     .weight = 30,
     .flags = 0},
    {.given =
         "Lars|Anna|Erik|Ingrid|Anders|Karin|Johan|Maja|Björn|Åsa|Mikkel|Freja|Søren|Kirsten|"
         "Jørgen|"
         "Bjørn|Astrid|Håkon|Sigrid|Øystein|Åse|Juhani|Aino|Mikko|Päivi|Jyrki|Sanna|Jón|Guðrún|"
         "Þórunn|Ásgeir|Æsa|Sölvi|Pål|Märta",
     .family =
         "Andersson|Hansen|Johansson|Nielsen|Karlsson|Jensen|Nilsson|Olsen|Eriksson|Larsen|"
         "Lindström|"
         "Pedersen|Sjöberg|Kristiansen|Åkerström|Sørensen|Öberg|Møller|Bjørnstad|Ødegård|Korhonen|"
         "Virtanen|Mäkinen|Nieminen|Hämäläinen|Pärssinen|Jónsdóttir|Þorsteinsson|Guðmundsdóttir|"
         "Ægisson|Grønkjær",
     .countries = "se|dk|no|fi|is|fo",
     .weight = 40,
     .flags = CULTURE_HYPHEN},
    {.given =
         "Malia|Kaleo|Leilani|Keanu|Nālani|Kekoa|Kaʻiulani|Moana|Tāne|Aroha|Wiremu|Hinemoa|Sione|"
         "Mele|Loto|Salote",
     .family =
         "Kealoha|Kahananui|Kamakawiwoʻole|Kaʻahumanu|Ngata|Tūhoe|Parata|Tupou|Fonoti|Lolohea|"
         "Keihanaikukauakahihulihe'ekahaunaele|Keʻalohilani|Mahuta|Tāmihana",
     .countries = "us|nz|to|ws|fj",
     .weight = 6,
     .flags = CULTURE_MIDDLE},
};

const struct culture_table NAMES_WEST = {CULTURES, sizeof CULTURES / sizeof *CULTURES};
